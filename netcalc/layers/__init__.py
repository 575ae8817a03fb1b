"""What each layer family knows of itself: fields, output shape, parameters, kernels. No array library."""
