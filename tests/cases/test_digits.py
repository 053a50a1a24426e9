"""Real data: scikit-learn's digits as x, with their labels."""

import sys

import numpy as np
import pytest

from backproof.cases import NetworkSpec, SpecError, build_case
from backproof.cases.digits import digits, digits_rows
from backproof.cases.streams import raw_words

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")


def case(text):
    """The case whose id is `text`."""
    return build_case(NetworkSpec.parse(text))


def test_digits_are_sixteenths():
    """1,797 images of 64 pixels in [0, 1], whole sixteenths, and labels 0 to 9."""
    images, labels = digits()
    assert images.shape == (1797, 64)
    assert np.isin(images * 16, np.arange(17)).all()
    assert np.unique(labels).tolist() == list(range(10))
    assert not images.flags.writeable
    assert not labels.flags.writeable


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_digits_rows_are_images_with_their_labels(dtype):
    """Each drawn row is an image of the data set, and its label is that image's."""
    x, labels = digits_rows(raw_words("three", 40), dtype)
    images, all_labels = digits()
    assert x.dtype == dtype
    for row, label in zip(x, labels, strict=True):
        assert label in all_labels[(images == row).all(axis=1)]
    assert not np.array_equal(x, digits_rows(raw_words("four", 40), dtype)[0])


def test_case_of_digits_has_true_labels_as_classes():
    """With ten outputs and class targets y is the digit that x shows."""
    digits_case = case("64-30-10,sigmoid-identity,cross_entropy,mean,n50,f64,digits,s7")
    images, labels = digits()
    for row, label in zip(digits_case.x, digits_case.y, strict=True):
        assert label in labels[(images == row).all(axis=1)]
    assert not digits_case.x.flags.writeable


@pytest.mark.parametrize(
    ("loss", "activation", "zero"),
    [
        ("half_squared_error", "sigmoid", 0),
        ("bce", "sigmoid", 0),
        ("categorical_cross_entropy", "softmax", 0),
        ("multilabel_soft_margin", "identity", 0),
        ("soft_margin", "identity", -1),
    ],
)
def test_case_of_digits_has_one_hot_targets(loss, activation, zero):
    """With ten outputs and targets by class y is one-hot, or 1 and -1 where targets are signs."""
    digits_case = case(f"64-10,{activation},{loss},mean,n20,f32,digits,s7")
    index_case = case("64-10,identity,cross_entropy,mean,n20,f32,digits,s7")
    assert digits_case.y.dtype == np.float32
    assert np.isin(digits_case.y, [zero, 1]).all()
    assert ((digits_case.y == 1).sum(axis=1) == 1).all()
    assert index_case.y.shape == (20,)


def test_case_of_digits_ignores_labels():
    """ignore_index works on true labels too: a quarter of them, and all of the ignored digit; never all."""
    y = case("64-10,identity,cross_entropy=index+none+1,mean,n200,f64,digits,s7").y
    assert set(y) == set(range(10))
    assert (y == 1).sum() > 200 / 8
    for seed in range(40):
        y = case(f"64-10,identity,cross_entropy=index+none+1,mean,n1,f64,digits,s{seed}").y
        assert y[0] != 1


def test_case_of_digits_draws_other_targets():
    """With another number of outputs, or targets that labels do not give, y is drawn as for the normal filling."""
    assert case("64-3,identity,cross_entropy,mean,n20,f64,digits,s7").y.max() == 2
    assert len(np.unique(case("64-3,identity,mse,mean,n20,f64,digits,s7").y)) == 60
    assert (case("64-10,log_softmax,kl_div=1,mean,n20,f64,digits,s7").y < 0).all()


def test_missing_scikit_learn_is_said(monkeypatch):
    """Without scikit-learn the message says what to install and what else would do."""
    digits.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SpecError, match="pip install scikit-learn, or choose other values, like normal"):
        digits()
