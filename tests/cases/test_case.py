"""Case: arrays that follow from the spec alone, in the shapes and sizes that the losses and layers want."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.cases import LOSSES, Domain, NetworkSpec, build_case, sample_specs
from backproof.cases.fillings import FILLINGS, fan_in_exponent
from backproof.cases.formula import variants
from backproof.cases.strategies import cases, specs

DRAWN = Domain(values=tuple(name for name, filling in FILLINGS.items() if filling.inputs is None))


def arrays_of(case):
    """Every array of `case` with its name."""
    named = {"x": case.x, "y": case.y, **case.loss_arrays}
    named |= {f"W{layer}": weight for layer, weight in enumerate(case.weights, 1)}
    named |= {f"b{layer}": bias for layer, bias in enumerate(case.biases, 1) if bias is not None}
    return named if case.upstream is None else {**named, "upstream": case.upstream}


def digest(case):
    """A hash of every bit of `case`, whatever the machine's byte order."""
    state = hashlib.sha256()
    for name, array in sorted(arrays_of(case).items()):
        state.update(f"{name}{array.shape}{array.dtype.name}".encode())
        state.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return state.hexdigest()[:16]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3-4-2,leaky_relu=0.2,mse,mean,n5,f64,normal,s7", "e0407bddd832a274"),
        ("3-4-2,leaky_relu=0.2,mse,mean,n5,f32,normal,s7", "4904d4fadb35cce9"),
        ("2-3-3,relu,half_squared_error,none,n4,f64,integers,s0,bias=01", "013c93dfa3603ed3"),
        ("2-3,sigmoid,bce,none,n4,f32,decimals,s0", "c08511458aeb991e"),
        ("5-4-3,tanh-softmax,categorical_cross_entropy,sum,n9,f64,sparse,s3", "f294daa8a909e591"),
        ("5-4-3,tanh-identity,cross_entropy=index+weighted+1,sum,n9,f32,normal,s3", "fe9b9475bb667e8f"),
        ("4-3,log_softmax,kl_div,batchmean,n6,f64,decimals,s1", "c007d22bbcdaf511"),
        ("4-3,log_softmax,kl_div=1,batchmean,n6,f32,saturated,s1", "dbca0bd988c50fb5"),
        ("4-6-3,softplus,poisson_nll=0,none,n6,f64,tiny,s1", "326a9bc67ea05d66"),
        ("4-6-3,elu,gaussian_nll,none,n6,f32,tiny,s1", "c3231f7bfa8de7f8"),
        ("4-3,identity,soft_margin,mean,n6,f64,saturated,s1", "5e89a884100676cc"),
        ("4-3,identity,bce_with_logits=weighted,mean,n6,f32,sparse,s1", "d53d6945ff61f4f9"),
        ("4-5,identity,multilabel_margin,none,n6,f64,normal,s1", "ad9a57ea487a858f"),
        ("4-5,identity,multilabel_soft_margin=weighted,mean,n6,f64,ones,s1", "8df8429c468865df"),
    ],
)
def test_build_case_gives_the_recorded_bits(text, expected):
    """The arrays of known ids, hashed once: recorded cases keep meaning the same, on every machine."""
    assert digest(build_case(NetworkSpec.parse(text))) == expected


@given(specs(DRAWN))
def test_build_case_is_a_function_of_the_id(spec):
    """The same id gives the same bits; another seed gives others, but for what is always the same."""
    assert digest(build_case(spec)) == digest(build_case(NetworkSpec.parse(spec.id)))
    other = build_case(replace(spec, seed=spec.seed + 1))
    large = spec.values == "normal" and spec.inputs * spec.batch_size > 1
    assert not large or digest(other) != digest(build_case(spec))


@given(cases(DRAWN))
def test_case_arrays_have_their_shapes(case):
    """Weights (O, I), biases (O,), x (N, I), the others as the loss says; all in the case's dtype and read-only."""
    spec = case.spec
    n, outputs = spec.batch_size, spec.outputs
    assert [weight.shape for weight in case.weights] == list(zip(spec.widths[1:], spec.widths, strict=False))
    assert [None if bias is None else bias.shape for bias in case.biases] == [
        (width,) if present else None for width, present in zip(spec.widths[1:], spec.biases, strict=True)
    ]
    assert case.x.shape == (n, spec.inputs)
    assert (case.upstream is None) == (spec.reduction != "none")
    if case.upstream is not None:
        assert case.upstream.shape == ((n,) if LOSSES[spec.loss.name].per_sample else (n, outputs))
        assert case.upstream.any()
    for name, array in arrays_of(case).items():
        assert array.dtype == (np.int64 if array.dtype == np.int64 and name == "y" else spec.dtype)
        assert not array.flags.writeable
        assert array.flags.c_contiguous


def test_network_arrays_cannot_be_unlocked():
    """They are cut from one locked array, so that no candidate can change what it was given."""
    case = build_case(NetworkSpec.parse("3-4-2,relu,mse,none,n5,f64,normal,s7"))
    for array in (*case.weights, *case.biases, case.x, case.y, case.upstream):
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag to True"):
            array.flags.writeable = True


@pytest.mark.parametrize("loss", [loss for name in LOSSES for loss in variants(name)], ids=lambda loss: loss.id)
def test_case_loss_options_are_torch_keywords(loss):
    """Under torch's names: no 'target', arrays in place of 'weighted', None in place of 'none'."""
    (spec,) = sample_specs(Domain(losses=[loss]), seed=0, shard=0, count=1)
    case = build_case(spec)
    options = case.loss_options
    assert set(options) == (set(spec.loss.options) - {"target"}) | set(case.loss_arrays)
    for name, value in options.items():
        if name in case.loss_arrays:
            assert value is case.loss_arrays[name]
            assert value.shape == ((spec.batch_size, spec.outputs) if name == "var" else (spec.outputs,))
            assert (value > 0).all()
        else:
            assert value is None if name in ("weight", "pos_weight") else value == spec.loss.options[name]
    assert ("var" in options) == (spec.loss.name == "gaussian_nll")


@given(cases(DRAWN), st.data())
def test_sample_is_one_row(case, data):
    """A sample has the same network, a batch of one, and its own rows of everything that has rows."""
    index = data.draw(st.integers(0, case.spec.batch_size - 1))
    sample = case.sample(index)
    assert sample.spec == replace(case.spec, batch_size=1)
    assert sample.weights is case.weights
    assert sample.biases is case.biases
    for name, array in arrays_of(sample).items():
        whole = arrays_of(case)[name]
        has_rows = name in ("x", "y", "var", "upstream")
        assert np.array_equal(array, whole[index : index + 1] if has_rows else whole)
        assert not array.flags.writeable


def test_sample_refuses_what_is_not_there():
    """Samples count from 0, and not from the end."""
    case = build_case(NetworkSpec.parse("3-2,relu,mse,sum,n4,f64,normal,s0"))
    for index in (4, -1):
        with pytest.raises(IndexError, match=f"a case of 4 samples has no sample {index}; they count from 0"):
            case.sample(index)


def test_rows_may_permute_and_repeat():
    """Rows come in the order that is asked for, one as often as it is named."""
    case = build_case(NetworkSpec.parse("3-2,relu,gaussian_nll,none,n4,f64,normal,s0"))
    indices = [2, 0, 2, 3, 1]
    rows = case.rows(indices)
    assert rows.spec.batch_size == 5
    for name in ("x", "y", "var", "upstream"):
        assert np.array_equal(arrays_of(rows)[name], arrays_of(case)[name][indices])
    assert rows.weights is case.weights


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_shrink_with_the_fan_in(dtype):
    """Weights of the normal filling are bell's numbers, at most 4, times the power of two nearest 1/sqrt(fan-in)."""
    for widths in ((1, 3), (2, 3), (16, 3), (64, 50, 3)):
        spec = NetworkSpec.parse("1-1,relu,mse,sum,n4,f64,normal,s0")
        layers = len(widths) - 1
        spec = replace(spec, widths=widths, activations=spec.activations * layers, biases=(True,) * layers, dtype=dtype)
        case = build_case(spec)
        for inputs, weight in zip(widths, case.weights, strict=False):
            assert np.abs(weight).max() <= 4.0 * 2.0 ** -fan_in_exponent(inputs)
        assert np.abs(np.concatenate([bias for bias in case.biases if bias is not None])).max() <= 2.0


def test_saturated_rows_differ_in_size():
    """Samples of `saturated` differ by powers of two up to 2^12, x and real y alike."""
    case = build_case(NetworkSpec.parse("16-8,relu,mse,sum,n64,f64,saturated,s0"))
    for rows in (np.abs(case.x).max(axis=1), np.abs(case.y).max(axis=1)):
        assert rows.max() / rows.min() > 2.0**9
        assert rows.max() <= 4.0 * 2.0**12


def test_upstream_is_never_all_zero():
    """Even where the filling draws zeros: of a single number from -2..2 every fifth would be."""
    domain = Domain(values="integers", reductions="none", batch_size=1, output_width=1, losses="mse")
    assert all(build_case(spec).upstream.any() for spec in sample_specs(domain, seed=0, shard=0, count=100))
