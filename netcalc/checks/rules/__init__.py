"""Rules of design: each is a generator over a Subject, and its docstring is its manual page."""

from __future__ import annotations

from netcalc.checks.rules import (
    activations,
    capacity,
    channels,
    data,
    initialization,
    normalization,
    receptive_field,
    structure,
    training,
    windows,
)
from netcalc.checks.rules.rule import Finding, Rule, Subject

__all__ = ["RULES", "Finding", "Rule", "Subject"]

_RULES = (
    Rule("NC201", "data-shape", "error", data.data_shape),
    Rule("NC202", "class-count", "error", data.class_count),
    Rule("NC203", "one-input-one-output", "error", data.one_input_one_output),
    Rule("NC204", "loss-of-target", "error", data.loss_of_target),
    Rule("NC301", "redundant-bias", "warning", normalization.redundant_bias),
    Rule("NC302", "dropped-pixels", "warning", windows.dropped_pixels),
    Rule("NC303", "even-kernel", "info", windows.even_kernel),
    Rule("NC304", "kernel-beyond-map", "warning", windows.kernel_beyond_map),
    Rule("NC305", "asymmetric-same", "info", windows.asymmetric_same),
    Rule("NC306", "skipped-pixels", "warning", windows.skipped_pixels),
    Rule("NC307", "window-on-padding", "warning", windows.window_on_padding),
    Rule("NC308", "dropout-before-batch-norm", "warning", normalization.dropout_before_batch_norm),
    Rule("NC309", "norm-of-one-value", "warning", normalization.norm_of_one_value),
    Rule("NC310", "small-batch-norm", "warning", training.small_batch_norm),
    Rule("NC311", "unaligned-channels", "info", channels.unaligned_channels),
    Rule("NC312", "shrinking-maps", "info", channels.shrinking_maps),
    Rule("NC313", "unmixed-groups", "warning", channels.unmixed_groups),
    Rule("NC314", "bounded-logits", "warning", activations.bounded_logits),
    Rule("NC315", "double-softmax", "warning", activations.double_softmax),
    Rule("NC316", "linear-pair", "warning", activations.linear_pair),
    Rule("NC317", "idle-rectifier", "warning", activations.idle_rectifier),
    Rule("NC318", "saturating-stack", "warning", activations.saturating_stack),
    Rule("NC319", "rectified-residual", "warning", activations.rectified_residual),
    Rule("NC320", "unsuited-init", "info", initialization.unsuited_init),
    Rule("NC321", "signal-scale", "warning", initialization.signal_scale),
    Rule("NC322", "saturated-start", "warning", initialization.saturated_start),
    Rule("NC323", "dead-start", "warning", initialization.dead_start),
    Rule("NC324", "receptive-field-below-input", "info", receptive_field.small_receptive_field),
    Rule("NC325", "receptive-field-below-object", "warning", receptive_field.object_beyond_receptive_field),
    Rule("NC326", "misaligned-merge", "warning", receptive_field.misaligned_merge),
    Rule("NC327", "dominant-dense", "warning", capacity.dominant_dense),
    Rule("NC328", "params-per-image", "warning", capacity.params_per_image),
    Rule("NC329", "learning-rate-range", "warning", training.learning_rate_range),
    Rule("NC330", "rate-for-batch", "warning", training.rate_for_batch),
    Rule("NC331", "batch-beyond-data", "warning", training.batch_beyond_data),
    Rule("NC332", "average-beyond-run", "warning", training.average_beyond_run),
    Rule("NC333", "nothing-trained", "warning", training.nothing_trained),
    Rule("NC334", "dead-node", "warning", structure.dead_node),
    Rule("NC335", "unread-input", "warning", structure.unread_input),
    Rule("NC336", "idle-layer", "warning", structure.idle_layer),
    Rule("NC337", "repeated-computation", "warning", structure.repeated_computation),
    Rule("NC338", "repeated-operand", "warning", structure.repeated_operand),
    Rule("NC339", "unused-block", "warning", structure.unused_block),
    Rule("NC340", "unused-parameter", "warning", structure.unused_parameter),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in _RULES}
"""Every rule by its permanent code."""
