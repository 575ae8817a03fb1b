"""How samples are divided: every class in its share, the same for the same seed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.data.splits import stratified

SHARES = [(0.8, 0.1, 0.1), (0.5, 0.5), (0.7, 0.0, 0.3), (1, 0), (0.29, 0.71), (0.98, 0.01, 0.01)]


@pytest.mark.parametrize("shares", SHARES)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=200), seed=st.integers(0, 2**31 - 1))
def test_every_sample_is_in_one_part_and_every_class_in_its_share(shares, labels, seed):
    found = np.array(labels, np.int32)
    parts = stratified(found, shares, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert all(np.array_equal(part, np.sort(part)) for part in parts)
    for label in set(labels):
        members = labels.count(label)
        for part, share in zip(parts, shares, strict=True):
            due = Fraction(repr(share)) * members
            assert abs(int((found[part] == label).sum()) - due) < 1


@pytest.mark.parametrize("shares", SHARES)
@given(counts=st.lists(st.integers(1, 30), min_size=2, max_size=40))
def test_the_parts_as_a_whole_keep_their_shares(shares, counts):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    for part, share in zip(stratified(labels, shares, 0), shares, strict=True):
        assert abs(len(part) - share * len(labels)) < 2


def test_the_division_is_a_pure_function_of_seed_and_labels():
    labels = (np.arange(100) % 3).astype(np.int32)
    first = stratified(labels, (0.8, 0.1, 0.1), 5)
    assert all(map(np.array_equal, first, stratified(labels.copy(), (0.8, 0.1, 0.1), 5)))
    assert not np.array_equal(first[0], stratified(labels, (0.8, 0.1, 0.1), 6)[0])


def test_the_division_of_one_class_does_not_depend_on_the_samples_of_others():
    few, more = np.repeat([0, 1], [10, 10]), np.repeat([0, 1], [10, 20])
    taken = [set(part[part < 10].tolist()) for part in stratified(few.astype(np.int32), (0.5, 0.5), 0)]
    assert taken == [set(part[part < 10].tolist()) for part in stratified(more.astype(np.int32), (0.5, 0.5), 0)]


def test_classes_too_small_for_every_part_take_turns():
    labels = np.repeat(np.arange(4), 5).astype(np.int32)
    parts = stratified(labels, (0.8, 0.1, 0.1), 0)
    assert [len(part) for part in parts] == [16, 2, 2]


def test_a_fixed_division_stays_what_it_is():
    # Runs are evaluated on the division that they were trained with: it may never change.
    parts = stratified((np.arange(12) % 2).astype(np.int32), (0.5, 0.25, 0.25), 0)
    assert [part.tolist() for part in parts] == [[3, 4, 6, 7, 9, 10], [0, 1, 8], [2, 5, 11]]
