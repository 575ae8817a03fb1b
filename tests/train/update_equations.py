"""Every optimizer and dialect in a few lines of NumPy, written from its reference and not from netcalc's code.

An equation is handed the gradient function, the start θ, the rate of each update and the fields of the spec, and
returns the point that is handed out after the last update. θ is a weight: a matrix of inputs by outputs.
"""

import numpy as np


def sgd(gradient, theta, rates, f):
    for rate in rates:
        theta = theta - rate * gradient(theta)
    return theta


def momentum(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        v = f.momentum * v - rate * gradient(theta)
        theta = theta + v
    return theta


def momentum_torch(gradient, theta, rates, f):
    m = np.zeros_like(theta)
    for rate in rates:
        m = f.momentum * m + gradient(theta)
        theta = theta - rate * m
    return theta


def nesterov(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        v = f.momentum * v - rate * gradient(theta + f.momentum * v)
        theta = theta + v
    return theta


def nesterov_torch(gradient, theta, rates, f):
    m = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        m = f.momentum * m + g
        theta = theta - rate * (g + f.momentum * m)
    return theta


def nesterov_keras(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        v = f.momentum * v - rate * g
        theta = theta + f.momentum * v - rate * g
    return theta


def nesterov_caffe(gradient, theta, rates, f):
    history = np.zeros_like(theta)
    for rate in rates:
        before = history
        history = f.momentum * history + rate * gradient(theta)
        theta = theta - ((1 + f.momentum) * history - f.momentum * before)
    return theta


def rud(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        v = f.momentum * v - rate * gradient(theta + v)
        theta = theta + v
    return theta


def adagrad(gradient, theta, rates, f):
    total = np.full_like(theta, f.initial_accumulator)
    for rate in rates:
        g = gradient(theta)
        total = total + g**2
        theta = theta - rate * g / np.sqrt(total + f.epsilon)
    return theta


def adagrad_paper(gradient, theta, rates, f):
    total = np.full_like(theta, f.initial_accumulator)
    for rate in rates:
        g = gradient(theta)
        total = total + g**2
        theta = theta - rate * g / (np.sqrt(total) + f.epsilon)
    return theta


def adadelta(gradient, theta, rates, f):
    of_g, of_delta = np.zeros_like(theta), np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        of_g = f.rho * of_g + (1 - f.rho) * g**2
        delta = -np.sqrt(of_delta + f.epsilon) / np.sqrt(of_g + f.epsilon) * g
        of_delta = f.rho * of_delta + (1 - f.rho) * delta**2
        theta = theta + rate * delta
    return theta


def rmsprop(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        v = f.decay * v + (1 - f.decay) * g**2
        theta = theta - rate * g / np.sqrt(v + f.epsilon)
    return theta


def rmsprop_torch(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        v = f.decay * v + (1 - f.decay) * g**2
        theta = theta - rate * g / (np.sqrt(v) + f.epsilon)
    return theta


def moments(gradient, theta, rates, f):
    """Yield for each update its number, rate, θ, g, m and v; the next θ is sent back."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, rate in enumerate(rates, 1):
        g = gradient(theta)
        m = f.beta1 * m + (1 - f.beta1) * g
        v = f.beta2 * v + (1 - f.beta2) * g**2
        theta = yield t, rate, theta, g, m, v


def followed(updates, new_theta):
    """Run updates to their end; `new_theta` gives the next point from what `moments` yields."""
    theta, told = None, next(updates)
    while True:
        theta = new_theta(*told)
        try:
            told = updates.send(theta)
        except StopIteration:
            return theta


def adam(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        return theta - rate * (m / (1 - f.beta1**t)) / (np.sqrt(v / (1 - f.beta2**t)) + f.epsilon)

    return followed(moments(gradient, theta, rates, f), new)


def adam_notes(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        return theta - rate * (m / (1 - f.beta1**t)) / np.sqrt(v / (1 - f.beta2**t) + f.epsilon)

    return followed(moments(gradient, theta, rates, f), new)


def adam_keras(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        alpha = rate * np.sqrt(1 - f.beta2**t) / (1 - f.beta1**t)
        return theta - alpha * m / (np.sqrt(v) + f.epsilon)

    return followed(moments(gradient, theta, rates, f), new)


def adamax_with(step):
    def adamax(gradient, theta, rates, f):
        m, u = np.zeros_like(theta), np.zeros_like(theta)
        for t, rate in enumerate(rates, 1):
            g = gradient(theta)
            m = f.beta1 * m + (1 - f.beta1) * g
            u, divisor = step(u, g, f)
            theta = theta - rate / (1 - f.beta1**t) * np.divide(m, divisor, where=divisor > 0, out=0 * m)
        return theta

    return adamax


def largest(u, g, f):
    u = np.maximum(f.beta2 * u, np.abs(g))
    return u, u


def largest_torch(u, g, f):
    u = np.maximum(f.beta2 * u, np.abs(g) + f.epsilon)
    return u, u


def largest_keras(u, g, f):
    u = np.maximum(f.beta2 * u, np.abs(g))
    return u, u + f.epsilon


def adamw(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        adam = (m / (1 - f.beta1**t)) / (np.sqrt(v / (1 - f.beta2**t)) + f.epsilon)
        return theta - rate * (adam + f.weight_decay * theta)

    return followed(moments(gradient, theta, rates, f), new)


def adamw_paper(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        eta = rate / f.learning_rate  # the schedule's multiplier
        adam = (m / (1 - f.beta1**t)) / (np.sqrt(v / (1 - f.beta2**t)) + f.epsilon)
        return theta - eta * (f.learning_rate * adam + f.weight_decay * theta)

    return followed(moments(gradient, theta, rates, f), new)


def adamw_keras(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        alpha = rate * np.sqrt(1 - f.beta2**t) / (1 - f.beta1**t)
        theta = theta - theta * f.weight_decay * rate
        return theta - alpha * m / (np.sqrt(v) + f.epsilon)

    return followed(moments(gradient, theta, rates, f), new)


def nadam(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        ahead = f.beta1 * m / (1 - f.beta1 ** (t + 1)) + (1 - f.beta1) * g / (1 - f.beta1**t)
        return theta - rate * ahead / (np.sqrt(v / (1 - f.beta2**t)) + f.epsilon)

    return followed(moments(gradient, theta, rates, f), new)


def nadam_growing(psi):
    def nadam(gradient, theta, rates, f):
        def mu(t):
            return f.beta1 * (1 - 0.5 * 0.96 ** (t * psi))

        def new(t, rate, theta, g, m, v):
            product = np.prod([mu(i) for i in range(1, t + 1)])
            denominator = np.sqrt(v / (1 - f.beta2**t)) + f.epsilon
            theta = theta - rate * (1 - mu(t)) / (1 - product) * g / denominator
            return theta - rate * mu(t + 1) / (1 - product * mu(t + 1)) * m / denominator

        return followed(moments(gradient, theta, rates, f), new)

    return nadam


def radam_with(second):
    def radam(gradient, theta, rates, f):
        most = 2 / (1 - f.beta2) - 1

        def new(t, rate, theta, g, m, v):
            rho = most - 2 * t * f.beta2**t / (1 - f.beta2**t)
            m_hat = m / (1 - f.beta1**t)
            if rho <= 5:
                return theta - rate * m_hat
            r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
            return theta - rate * r * m_hat / second(t, v, f)

        return followed(moments(gradient, theta, rates, f), new)

    return radam


def root_optax(t, v, f):
    return np.sqrt(v / (1 - f.beta2**t)) + f.epsilon


def root_torch(t, v, f):
    return (np.sqrt(v) + f.epsilon) / np.sqrt(1 - f.beta2**t)


def lion(gradient, theta, rates, f):
    m = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        step = np.sign(f.beta1 * m + (1 - f.beta1) * g)
        theta = theta - rate * (step + f.weight_decay * theta)
        m = f.beta2 * m + (1 - f.beta2) * g
    return theta


def lars(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta) + f.weight_decay * theta
        ratio = f.trust * np.linalg.norm(theta) / np.linalg.norm(g)
        v = f.momentum * v + rate * ratio * g
        theta = theta - v
    return theta


def lars_paper(gradient, theta, rates, f):
    v = np.zeros_like(theta)
    for rate in rates:
        g = gradient(theta)
        size = np.linalg.norm(theta)
        ratio = f.trust * size / (np.linalg.norm(g) + f.weight_decay * size)
        v = f.momentum * v + rate * ratio * (g + f.weight_decay * theta)
        theta = theta - v
    return theta


def lamb(gradient, theta, rates, f):
    def new(t, rate, theta, g, m, v):
        r = (m / (1 - f.beta1**t)) / (np.sqrt(v / (1 - f.beta2**t)) + f.epsilon) + f.weight_decay * theta
        return theta - rate * np.linalg.norm(theta) / np.linalg.norm(r) * r

    return followed(moments(gradient, theta, rates, f), new)


def muon(gradient, theta, rates, f):
    inputs, outputs = theta.shape
    m = np.zeros_like(theta)
    for t, rate in enumerate(rates, 1):
        g = gradient(theta)
        m = f.momentum * m + (1 - f.momentum) * g
        ahead = f.momentum * m / (1 - f.momentum ** (t + 1)) + (1 - f.momentum) * g / (1 - f.momentum**t)
        x = ahead / (np.linalg.norm(ahead) + f.epsilon)
        for _ in range(5):
            square = x.T @ x  # on the other side than with x xᵀ, the same polynomial of x
            x = 3.4445 * x - 4.775 * x @ square + 2.0315 * x @ square @ square
        theta = theta - rate * (np.sqrt(max(1, outputs / inputs)) * x + f.weight_decay * theta)
    return theta


def schedule_free(gradient, theta, rates, f):
    z = x = theta
    weight = most = 0.0
    for rate in rates:
        y = (1 - f.momentum) * z + f.momentum * x
        z = z - rate * gradient(y)
        most = max(most, rate)
        weight += most**2
        c = most**2 / weight
        x = (1 - c) * x + c * z
    return x


EQUATIONS = {
    ("gd", None): sgd,
    ("sgd", None): sgd,
    **{("momentum", d): momentum for d in ("notes", "paper", "caffe", "keras")},
    **{("momentum", d): momentum_torch for d in ("optax", "torch")},
    **{("nesterov", d): nesterov for d in ("notes", "paper")},
    **{("nesterov", d): nesterov_torch for d in ("optax", "torch")},
    ("nesterov", "keras"): nesterov_keras,
    ("nesterov", "caffe"): nesterov_caffe,
    ("rud", None): rud,
    **{("adagrad", d): adagrad for d in ("notes", "optax", "keras")},
    **{("adagrad", d): adagrad_paper for d in ("paper", "torch", "caffe")},
    ("adadelta", None): adadelta,
    **{("rmsprop", d): rmsprop for d in ("notes", "optax", "keras")},
    **{("rmsprop", d): rmsprop_torch for d in ("torch", "caffe")},
    ("adam", "notes"): adam_notes,
    **{("adam", d): adam for d in ("paper", "optax", "torch")},
    **{("adam", d): adam_keras for d in ("caffe", "keras")},
    **{("adamax", d): adamax_with(largest) for d in ("notes", "paper")},
    **{("adamax", d): adamax_with(largest_torch) for d in ("optax", "torch")},
    ("adamax", "keras"): adamax_with(largest_keras),
    **{("adamw", d): adamw for d in ("optax", "torch")},
    ("adamw", "paper"): adamw_paper,
    ("adamw", "keras"): adamw_keras,
    ("nadam", "optax"): nadam,
    ("nadam", "torch"): nadam_growing(0.004),
    ("nadam", "keras"): nadam_growing(1.0),
    ("radam", "optax"): radam_with(root_optax),
    ("radam", "torch"): radam_with(root_torch),
    ("lion", None): lion,
    ("lars", "optax"): lars,
    ("lars", "paper"): lars_paper,
    ("lamb", None): lamb,
    ("muon", None): muon,
    ("schedule_free", None): schedule_free,
}
"""By the name in the spec and the dialect, None where there are no dialects."""
