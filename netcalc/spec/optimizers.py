"""Optimizers and their fields.

References write some of them differently; `dialect` picks whose equations are meant: the lecture notes', the
original publication's, or those of optax, torch, Caffe or Keras. It changes equations alone, never the values of
other fields. docs/optimizers.md has them side by side.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from netcalc.choice import Fields, OneOf

Share = Annotated[float, Field(ge=0, lt=1)]
"""A part of something that is kept."""

_DIALECT = "whose equations: they differ in "


class Sgd(Fields):
    """θ ← θ − αg."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=0.01, description="rate α")


class Gd(Sgd):
    """θ ← θ − αg, with g over the whole training set: one update an epoch."""

    learning_rate: PositiveFloat = Field(default=0.1, description="rate α")


class Momentum(Fields):
    """v ← γv − αg; θ ← θ + v (Polyak 1964)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=0.01, description="rate α")
    momentum: Share = Field(default=0.9, description="share γ of v kept")
    dialect: Literal["notes", "paper", "optax", "torch", "caffe", "keras"] = Field(
        default="notes",
        description=_DIALECT + "whether a rate that changes is inside v (notes, paper, caffe, keras) or not",
    )


class Nesterov(Momentum):
    """v ← γv − αg(θ + γv); θ ← θ + v (Nesterov 1983, as Sutskever et al. 2013 write it)."""

    dialect: Literal["notes", "paper", "optax", "torch", "caffe", "keras"] = Field(
        default="notes",
        description=_DIALECT + "whether θ is evaluated (notes, paper) or the point θ + γv of the gradient, and "
        "whether a rate that changes is inside v (all but optax, torch)",
    )


class Rud(Fields):
    """v ← γv − αg(θ + v); θ ← θ + v: regularised update descent (Botev, Lever & Barber 2016)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=0.01, description="rate α")
    momentum: Share = Field(default=0.9, description="share γ of v kept")


class Adagrad(Fields):
    """G ← G + g²; θ ← θ − αg/√(G + ε) (Duchi, Hazan & Singer 2011)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=0.01, description="rate α")
    epsilon: PositiveFloat = Field(default=1e-8, description="ε")
    initial_accumulator: NonNegativeFloat = Field(default=0.0, description="where G starts")
    dialect: Literal["notes", "paper", "optax", "torch", "caffe", "keras"] = Field(
        default="notes",
        description=_DIALECT + "the place of ε: inside the root (notes, optax, keras) or behind it",
    )


class Adadelta(Fields):
    """E[g²] ← ρE[g²] + (1−ρ)g²; Δ = −RMS[Δ]/RMS[g]·g; E[Δ²] ← ρE[Δ²] + (1−ρ)Δ²; θ ← θ + αΔ (Zeiler 2012)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=1.0, description="factor α of Δ, 1 in the paper")
    rho: Share = Field(default=0.95, description="decay ρ of both averages")
    epsilon: PositiveFloat = Field(default=1e-6, description="ε, inside both roots: RMS[x] = √(E[x²] + ε)")


class Rmsprop(Fields):
    """v ← γv + (1−γ)g²; θ ← θ − αg/√(v + ε) (Tieleman & Hinton 2012)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=1e-3, description="rate α")
    decay: Share = Field(default=0.9, description="decay γ of the mean of g²")
    epsilon: PositiveFloat = Field(default=1e-8, description="ε")
    dialect: Literal["notes", "optax", "torch", "caffe", "keras"] = Field(
        default="notes",
        description=_DIALECT + "the place of ε: inside the root (notes, optax, keras) or behind it",
    )


class _Moments(Fields):
    """What the relatives of Adam have in common."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=1e-3, description="rate α")
    beta1: Share = Field(default=0.9, description="decay of the mean of g")
    beta2: Share = Field(default=0.999, description="decay of the mean of g²")


class Adam(_Moments):
    """Bias-corrected moving averages of g and g² (Kingma & Ba 2015, algorithm 1)."""

    epsilon: PositiveFloat = Field(default=1e-8, description="ε")
    dialect: Literal["notes", "paper", "optax", "torch", "caffe", "keras"] = Field(
        default="paper",
        description=_DIALECT
        + "the place of ε: inside the root (notes), behind it (paper, optax, torch), or behind "
        "that of the uncorrected mean (caffe, keras)",
    )


class Adamax(_Moments):
    """u ← max(β₂u, |g|); θ ← θ − α/(1−β₁ᵗ)·m/u (Kingma & Ba 2015, algorithm 2)."""

    learning_rate: PositiveFloat = Field(default=2e-3, description="rate α")
    beta2: Share = Field(default=0.999, description="decay β₂ of u")
    epsilon: PositiveFloat = Field(default=1e-8, description="ε; the notes and the paper have none")
    dialect: Literal["notes", "paper", "optax", "torch", "keras"] = Field(
        default="notes",
        description=_DIALECT + "ε: none, and no step where u is 0 (notes, paper), added to |g| (optax, torch) or "
        "to u (keras)",
    )

    @model_validator(mode="after")
    def _epsilon_is_read(self) -> Adamax:
        if "epsilon" in self.model_fields_set and self.dialect in ("notes", "paper") and self.epsilon != 1e-8:
            raise ValueError(f"the dialect `{self.dialect}` has no `epsilon`; optax, torch and keras have one")
        return self


class AdamW(_Moments):
    """Adam with decoupled weight decay: θ ← θ − α(m̂/(√v̂ + ε) + λθ) (Loshchilov & Hutter 2019)."""

    epsilon: PositiveFloat = Field(default=1e-8, description="ε")
    weight_decay: NonNegativeFloat = Field(default=0.01, description="decoupled decay λ of weights")
    dialect: Literal["paper", "optax", "torch", "keras"] = Field(
        default="optax",
        description=_DIALECT + "the decay, which the schedule scales but α does not (paper), and the place of ε "
        "(keras: behind the root of the uncorrected mean)",
    )


class Nadam(_Moments):
    """Adam whose mean of g looks one step ahead (Dozat 2016)."""

    epsilon: PositiveFloat = Field(default=1e-8, description="ε")
    dialect: Literal["optax", "torch", "keras"] = Field(
        default="optax",
        description=_DIALECT + "β₁, which is constant (optax) or grows from half of it: by 0.96^(t/250) (torch) or "
        "0.96^t (keras)",
    )


class Radam(_Moments):
    """Adam with a rectified variance, and none while too few gradients were seen (Liu et al. 2020)."""

    epsilon: PositiveFloat = Field(default=1e-8, description="ε")
    dialect: Literal["optax", "torch"] = Field(
        default="optax",
        description=_DIALECT
        + "the place of ε: behind the root (optax) or behind that of the uncorrected mean (torch)",
    )


class Lion(Fields):
    """θ ← θ − α(sign(β₁m + (1−β₁)g) + λθ); m ← β₂m + (1−β₂)g (Chen et al. 2023)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=1e-4, description="rate α")
    beta1: Share = Field(default=0.9, description="share of m in the step")
    beta2: Share = Field(default=0.99, description="decay of m")
    weight_decay: NonNegativeFloat = Field(default=0.0, description="decoupled decay λ of weights")


class Lars(Fields):
    """Momentum with each weight's rate scaled by η‖θ‖/‖g‖ (You, Gitman & Ginsburg 2017)."""

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=1.0, description="rate α")
    momentum: Share = Field(default=0.9, description="share γ of v kept")
    trust: PositiveFloat = Field(default=1e-3, description="trust coefficient η")
    weight_decay: NonNegativeFloat = Field(
        default=0.0, description="decay λ of weights, added to g before the ratio of norms is applied"
    )
    dialect: Literal["paper", "optax"] = Field(
        default="optax",
        description=_DIALECT + "what divides: ‖g + λθ‖ (optax) or ‖g‖ + λ‖θ‖ (paper)",
    )


class Lamb(_Moments):
    """Adam's step, each weight's scaled by ‖θ‖/‖step‖ (You et al. 2020)."""

    learning_rate: PositiveFloat = Field(default=2e-3, description="rate α")
    epsilon: PositiveFloat = Field(default=1e-6, description="ε, behind the root")
    weight_decay: NonNegativeFloat = Field(
        default=0.0, description="decay λ of weights, part of the step whose norm is taken"
    )


class Muon(Fields):
    """Momentum, each weight's made orthogonal as a matrix of inputs by outputs (Jordan et al. 2024).

    What is no weight, such as a bias, is trained by NAdam.
    """

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=0.02, description="rate α of weights")
    momentum: Share = Field(default=0.95, description="share of the mean of g kept")
    epsilon: PositiveFloat = Field(default=1e-8, description="ε of the norm, and of NAdam")
    weight_decay: NonNegativeFloat = Field(default=0.0, description="decoupled decay λ of weights")
    adam_learning_rate: PositiveFloat = Field(default=1e-3, description="rate of what is no weight")


class ScheduleFree(Fields):
    """SGD whose iterates are averaged instead of its rate being lowered (Defazio et al. 2024).

    z ← z − αg(y); x ← (1−c)x + cz; y = (1−β)z + βx, with c = α²/Σα². x is evaluated.
    """

    principal: ClassVar[str | None] = "learning_rate"
    learning_rate: PositiveFloat = Field(default=1.0, description="rate α")
    momentum: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.9, description="share β of the average in y")


class OptimizerSpec(OneOf):
    """Which optimizer, with its fields."""

    gd: Gd | None = Field(default=None, description="batch gradient descent: one update an epoch")
    sgd: Sgd | None = Field(default=None, description="stochastic gradient descent")
    momentum: Momentum | None = Field(default=None, description="gradient descent with momentum")
    nesterov: Nesterov | None = Field(default=None, description="Nesterov's accelerated gradient")
    rud: Rud | None = Field(default=None, description="regularised update descent")
    adagrad: Adagrad | None = Field(default=None, description="Adagrad")
    adadelta: Adadelta | None = Field(default=None, description="Adadelta")
    rmsprop: Rmsprop | None = Field(default=None, description="RMSProp")
    adam: Adam | None = Field(default=None, description="Adam")
    adamax: Adamax | None = Field(default=None, description="AdaMax")
    adamw: AdamW | None = Field(default=None, description="Adam with decoupled weight decay")
    nadam: Nadam | None = Field(default=None, description="Adam with Nesterov's momentum")
    radam: Radam | None = Field(default=None, description="rectified Adam")
    lion: Lion | None = Field(default=None, description="Lion: signs of a mean of gradients")
    lars: Lars | None = Field(default=None, description="layer-wise adaptive rates over momentum")
    lamb: Lamb | None = Field(default=None, description="layer-wise adaptive rates over Adam")
    muon: Muon | None = Field(default=None, description="orthogonalised momentum")
    schedule_free: ScheduleFree | None = Field(default=None, description="schedule-free SGD")
