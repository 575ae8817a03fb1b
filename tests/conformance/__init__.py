"""Every layer against its lowering, and both against an oracle that walks each tap."""
