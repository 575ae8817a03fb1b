"""Every optimizer of the spec language, before its rate is known.

What optax has comes from optax, in the dialects that it equals; the rest is in `update_rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import optax
import optax.contrib

from netcalc.spec.optimizers import (
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lamb,
    Lars,
    Lion,
    Momentum,
    Muon,
    Nadam,
    Nesterov,
    OptimizerSpec,
    Radam,
    Rmsprop,
    Rud,
    ScheduleFree,
    Sgd,
)
from netcalc.train.param_facts import ParamFacts, is_weight, matrix_axes, no_facts
from netcalc.train.update_rules import (
    Rate,
    adagrad_behind_root,
    adam_uncorrected_epsilon,
    adamax,
    behind_look_ahead,
    nadam_scheduled,
    radam_uncorrected_epsilon,
    trust_ratio_of_parts,
    velocity,
)

EvalParams = Callable[[Any, Any], Any]
"""From the optimizer's state and the parameters that are trained to those to evaluate, save and export."""


def same(optimizer_state: Any, params: Any) -> Any:
    """Return the parameters that are trained: most methods hand out the point where they take gradients."""
    return params


@dataclass(frozen=True, slots=True)
class Method:
    """An optimizer: `at(rate)` is its update at a rate, and `eval_params` the point that it hands out.

    The state has the same structure at every rate, so each update may have its own.
    """

    at: Callable[[Rate], optax.GradientTransformation]
    eval_params: EvalParams = same


def make_method(spec: OptimizerSpec, facts: ParamFacts = no_facts) -> Method:
    """Return the optimizer that a spec names; `facts` are asked for where weights are treated unlike the rest."""
    match spec.chosen:
        case Sgd():
            return Method(optax.sgd)
        case Nesterov(momentum=momentum, dialect=dialect):
            return _with_velocity(momentum, momentum, dialect)
        case Momentum(momentum=momentum, dialect=dialect):
            return _with_velocity(momentum, 0.0, dialect)
        case Rud(momentum=momentum):
            return _with_velocity(momentum, 1.0, "paper")
        case Adagrad() as chosen:
            return _scaled(_adagrad(chosen))
        case Adadelta(rho=rho, epsilon=epsilon):
            return Method(lambda rate: optax.adadelta(rate, rho=rho, eps=epsilon))
        case Rmsprop(decay=decay, epsilon=epsilon, dialect=dialect):
            inside = dialect in ("notes", "optax", "keras")
            return _scaled(optax.scale_by_rms(decay, epsilon, eps_in_sqrt=inside))
        case AdamW() as chosen:
            return _adamw(chosen, facts)
        case Adam() as chosen:
            return _scaled(_adam(chosen))
        case Adamax(dialect="optax" | "torch") as chosen:
            return _scaled(optax.scale_by_adamax(chosen.beta1, chosen.beta2, chosen.epsilon))
        case Adamax() as chosen:
            epsilon = chosen.epsilon if chosen.dialect == "keras" else 0.0
            return _scaled(adamax(chosen.beta1, chosen.beta2, epsilon))
        case Nadam() as chosen:
            return _scaled(_nadam(chosen))
        case Radam(dialect="torch") as chosen:
            return _scaled(radam_uncorrected_epsilon(chosen.beta1, chosen.beta2, chosen.epsilon))
        case Radam() as chosen:
            return _scaled(optax.scale_by_radam(chosen.beta1, chosen.beta2, chosen.epsilon))
        case Lion(beta1=beta1, beta2=beta2, weight_decay=decay):
            return _scaled(optax.scale_by_lion(beta1, beta2), _decay(decay, facts))
        case Lars() as chosen:
            return _lars(chosen, facts)
        case Lamb() as chosen:
            return _scaled(
                optax.scale_by_adam(chosen.beta1, chosen.beta2, chosen.epsilon),
                _decay(chosen.weight_decay, facts),
                optax.masked(optax.scale_by_trust_ratio(), is_weight(facts)),
            )
        case Muon() as chosen:
            return _muon(chosen, facts)
        case ScheduleFree(momentum=beta):
            return Method(
                lambda rate: optax.contrib.schedule_free(optax.sgd(rate), rate, b1=beta),
                optax.contrib.schedule_free_eval_params,
            )
    raise AssertionError(f"no optimizer for {spec.kind}")


def _scaled(*direction: optax.GradientTransformation) -> Method:
    """Return θ ← θ − α·direction."""
    return Method(lambda rate: optax.chain(*direction, optax.scale_by_learning_rate(rate)))


def _decay(weight_decay: float, facts: ParamFacts) -> optax.GradientTransformation:
    """Return what adds λθ to the direction of each weight."""
    if weight_decay == 0:
        return optax.identity()
    return optax.add_decayed_weights(weight_decay, is_weight(facts))


def _with_velocity(momentum: float, reach: float, dialect: str) -> Method:
    if dialect in ("optax", "torch"):  # the rate is outside: m ← γm + g; θ ← θ − αm
        trace = optax.trace(momentum, nesterov=reach > 0)
        return _scaled(trace)

    def at_theta(optimizer_state: Any, params: Any) -> Any:
        return behind_look_ahead(reach, optimizer_state, params)

    hands_out_theta = reach > 0 and dialect in ("notes", "paper")
    return Method(lambda rate: velocity(rate, momentum, reach), at_theta if hands_out_theta else same)


def _adagrad(spec: Adagrad) -> optax.GradientTransformation:
    if spec.dialect in ("notes", "optax", "keras"):
        return optax.scale_by_rss(spec.initial_accumulator, spec.epsilon)
    return adagrad_behind_root(spec.initial_accumulator, spec.epsilon)


def _adam(spec: Adam) -> optax.GradientTransformation:
    match spec.dialect:
        case "notes":
            return optax.scale_by_adam(spec.beta1, spec.beta2, eps=0.0, eps_root=spec.epsilon)
        case "caffe" | "keras":
            return adam_uncorrected_epsilon(spec.beta1, spec.beta2, spec.epsilon)
    return optax.scale_by_adam(spec.beta1, spec.beta2, spec.epsilon)


def _adamw(spec: AdamW, facts: ParamFacts) -> Method:
    rule = adam_uncorrected_epsilon if spec.dialect == "keras" else optax.scale_by_adam
    adam = rule(spec.beta1, spec.beta2, spec.epsilon)
    if spec.dialect != "paper":
        return _scaled(adam, _decay(spec.weight_decay, facts))

    # η(α·direction + λθ): the schedule's factor η scales the decay, the learning rate α does not.
    return _scaled(adam, _decay(spec.weight_decay / spec.learning_rate, facts))


def _nadam(spec: Nadam) -> optax.GradientTransformation:
    if spec.dialect == "optax":
        return optax.scale_by_adam(spec.beta1, spec.beta2, spec.epsilon, nesterov=True)
    return nadam_scheduled(spec.beta1, spec.beta2, spec.epsilon, spec.dialect)


def _lars(spec: Lars, facts: ParamFacts) -> Method:
    weights = is_weight(facts)
    if spec.dialect == "paper":
        ratio = optax.masked(trust_ratio_of_parts(spec.trust, spec.weight_decay), weights)
    else:
        scaled = optax.masked(optax.scale_by_trust_ratio(trust_coefficient=spec.trust), weights)
        ratio = optax.chain(_decay(spec.weight_decay, facts), scaled)
    return Method(lambda rate: optax.chain(ratio, optax.scale_by_learning_rate(rate), optax.trace(spec.momentum)))


def _muon(spec: Muon, facts: ParamFacts) -> Method:
    def matrices(params: Any) -> Any:
        def axes(param: Any) -> optax.contrib.MuonDimensionNumbers | None:
            return optax.contrib.MuonDimensionNumbers(*matrix_axes(param)) if param.role == "weight" else None

        return jax.tree.map(axes, facts(params))

    def at(rate: Rate) -> optax.GradientTransformation:
        return optax.contrib.muon(
            rate,
            beta=spec.momentum,
            eps=spec.epsilon,
            weight_decay=spec.weight_decay,
            adam_learning_rate=rate * (spec.adam_learning_rate / spec.learning_rate),
            muon_weight_dimension_numbers=matrices,
        )

    return Method(at)
