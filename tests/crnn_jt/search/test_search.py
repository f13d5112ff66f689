"""The search of operations: gates have ProxylessNAS's slopes, what is plainly best is found, a run can be cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crnn_jt import backend
from crnn_jt.backend import NAME, load_state, no_grad, ops, state
from crnn_jt.layers import Activation, Choice, Conv, Dropout, MaxPool, Shape, arrays_of, buffers_of, cost, to_values
from crnn_jt.models import build, construct
from crnn_jt.search.latency import measure_table, prices_in, read_table, time_plan, write_table
from crnn_jt.search.supernet import choose, input_shape, name_found, plan_in, prices_of, resolve
from crnn_jt.spec import GroupSpec, StageSpec, load_config
from crnn_jt.stack import Stack
from crnn_jt.tasks import task_of
from crnn_jt.weights import Weights, load_weights
from data_tools.errors import UserError
from tests.crnn_jt import tiny

POINT, WIDE = Conv(4, 4, (1, 1), padding=(0, 0)), Conv(4, 4, (5, 5), padding=(2, 2))
FIRST, LAST = (Conv(1, 4, (5, 5), (4, 4), (2, 2)), Activation()), MaxPool((8, 1), (8, 1))
PLANTED = (*FIRST, Choice(((WIDE, Dropout(0.95)), (), (WIDE, WIDE, WIDE))), LAST)
"""The second of three: it costs nothing and loses nothing; the first is dear and loses all, the third is dear."""
ALPHAS = GroupSpec("adam", 0.05, (0.0, 0.999), weight_decay=0.0)


def settings(tmp_path, plan=PLANTED, **train):
    """A short search; what the alphas learn from are drawn words too."""
    if not (tmp_path / "other").exists():
        tiny.write_set(tmp_path / "other", 12)
    model = replace(tiny.model(), extractor=StageSpec("plan", {"plan": to_values(plan)}))
    options = {"warm_up": 4, "every": 2, "beta": 2.0, "goal": 0.02, "data": [str(tmp_path / "other")]}
    train = {"steps": 12, "ema": 0.0, "groups": {"alphas": ALPHAS}, "validate_every": 6, "schedule": "constant"} | train
    return replace(tiny.config(model, **train), task=StageSpec("search", options))


@pytest.mark.parametrize("drawn", [(1, 2), (2, 0)])
def test_binary_gates_have_the_slopes_of_shares(drawn):
    """d loss / d alpha_i is the sum over the two drawn of (d loss / d y)·o_j · p_j · (δij - p_i) (Cai et al., ICLR
    2019, equation 4, on two paths); the value is that of the first alone.
    """
    made = Stack((Choice(((), (POINT,), (WIDE,))),))
    rng = np.random.default_rng(0)
    load_state(made, {key: rng.standard_normal(value.shape) for key, value in sorted(state(made).items())})
    made.train()
    choice, x = getattr(made, "0"), rng.standard_normal((3, 4, 6, 8)).astype(np.float32)
    alphas, towards = state(made)["0.alphas"].astype(np.float64), rng.standard_normal(x.shape).astype(np.float32)
    outputs = []
    for number in range(3):
        choice.drawn = (number,)
        with no_grad():
            outputs.append(ops.numpy(made(ops.array(x))))
    choice.drawn = drawn
    y = made(ops.array(x))
    (slope,) = backend.gradients((y * ops.array(towards)).sum(), [choice.alphas])
    np.testing.assert_allclose(ops.numpy(y), outputs[drawn[0]], rtol=1e-4, atol=1e-4)
    shares = np.exp(alphas[list(drawn)])
    shares /= shares.sum()
    gains = np.array([(outputs[number] * towards).sum() for number in drawn])
    expected = np.zeros(3)
    expected[list(drawn)] = [sum(gains[j] * shares[j] * ((i == j) - shares[i]) for j in (0, 1)) for i in (0, 1)]
    np.testing.assert_allclose(ops.numpy(slope), expected, rtol=1e-3, atol=1e-3)


def test_prices_are_the_plans_costs():
    """A search weighs what the candidates really cost at their place."""
    prices = prices_of(PLANTED, Shape(1, 32, 40))
    wide = 80 * 16 * 25
    assert prices.fixed == 80 * 4 * 25 and {2: [wide, 0, 3 * wide]} == {
        place: own.tolist() for place, own in prices.candidates.items()
    }
    assert prices.cheapest() == prices.fixed and prices.of({2: 2}) == prices.fixed + 3 * wide
    for plan in (FIRST, (Choice((PLANTED,)),)):
        with pytest.raises(UserError, match="takes an extractor with choices"):
            prices_of(plan, Shape(1, 32, 40))


def test_a_table_of_latencies_takes_the_place_of_multiply_adds(tmp_path):
    """Alike candidates are measured once; the factor is that of microseconds; a table of another network is refused."""
    asked = []

    def timer(plan, before):
        asked.append((plan, before.channels, before.height))
        return 7.0 + 10.0 * len(plan)

    table = measure_table((*PLANTED[:3], PLANTED[2], LAST), Shape(1, 32, 40), timer)
    assert table == {"fixed": (20.0, 10.0), "2": (20.0, 0.0, 30.0), "3": (20.0, 0.0, 30.0)}
    assert len(asked) == 6 and {(FIRST, 1, 32), ((), 1, 32), ((), 4, 8), ((LAST,), 4, 8)} < set(asked)
    write_table(tmp_path / "table.json", table)
    with pytest.raises(UserError, match="is of another network"):
        prices_in(read_table(tmp_path / "table.json"), PLANTED)
    given = settings(tmp_path)
    del table["3"]
    options = given.task.options | {"latencies": table, "goal": 100.0}
    given = replace(given, task=StageSpec("search", options))
    task = task_of(build(given.model), given)
    load_state(task.model, {"extractor.stack.2.alphas": np.log([1.0, 2.0, 5.0])})
    with no_grad():
        found = float(ops.numpy(task.cost_factor()).sum())
    expected = 30 + (20 * 1 + 0 * 2 + 30 * 5) / 8
    assert found == pytest.approx((np.log(expected) / np.log(100)) ** 2, rel=1e-5)
    with pytest.raises(UserError, match="goal 2 microseconds"):
        task_of(build(given.model), replace(given, task=StageSpec("search", options | {"goal": 2.0})))


@pytest.mark.parametrize("text", ["", "[]", '{"2": [1]}', '{"fixed": [-1]}', '{"fixed": "x"}', '{"fixed": [true]}'])
def test_what_is_no_table_of_latencies_is_one_line(text, tmp_path):
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(UserError, match=r"--latencies .*table\.json"):
        read_table(tmp_path / "table.json")


@pytest.mark.skipif(NAME != "jittor", reason="Jittor only: the kernels are its")
def test_candidates_are_measured_on_the_kernels():
    """Handing over takes a time of its own; what the kernels do not cover is one line."""
    assert time_plan((WIDE,) * 12, Shape(4, 64, 160)) > 0 and time_plan((), Shape(4, 64, 160)) > 0
    with pytest.raises(UserError, match="a search by latency: "):
        time_plan((Choice(((), (WIDE,))),), Shape(4, 64, 160))


def test_a_planted_operation_that_is_plainly_best_is_found(tmp_path):
    """What is resolved from its weights reads as the network with choices did."""
    given = settings(tmp_path, steps=120, validate_every=120, learning_rate=0.02)
    tiny.trainer(tmp_path / "run", given, tiny.DrawnWords(8)).run()
    weights = load_weights(tmp_path / "run" / "last.safetensors")
    alphas = weights.arrays["extractor.stack.2.alphas"]
    shares = np.exp(alphas) / np.exp(alphas).sum()
    assert shares.argmax() == 1 and shares[1] > 0.6, shares
    found = resolve(weights)
    assert plan_in(found.spec) == (*FIRST, LAST)
    whole, resolved = (build(one.spec) for one in (weights, found))
    for made, one in ((whole, weights), (resolved, found)):
        load_state(made, one.arrays)
        made.eval()
    images, widths = ops.array(tiny.pictures()), np.full(4, 40)
    with no_grad():
        logits = [ops.numpy(made(images, widths)[0]) for made in (whole, resolved)]
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-5, atol=1e-5)


def test_a_search_that_is_cut_goes_on_as_if_it_were_not(tmp_path):
    """Draws follow from seed and step, the alphas' data from their own steps: a seed finds the same alphas and weights,
    in two runs and in one that is cut.
    """
    given = settings(tmp_path, warmup=0)  # a shorter run would warm up sooner
    ends = []
    for name, cut in (("whole", 0), ("cut", 7)):
        first = tiny.with_train(given, steps=cut or 12)
        trainer = tiny.trainer(tmp_path / name, first)
        trainer.run()
        if cut:
            trainer = tiny.trainer(tmp_path / name, given, resume=True)
            trainer.run()
        ends.append(state(trainer.task.model))
    assert all(np.array_equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_a_step_changes_only_what_is_its_turn(tmp_path):
    """Weights and alphas learn in turn; a candidate that was not drawn keeps its weights, whatever decays."""
    given = settings(tmp_path, weight_decay=0.1)
    trainer = tiny.trainer(tmp_path / "run", given)
    task, learner = trainer.task, trainer.learner
    task.model.train()
    batch = next(trainer.train_loader.batches(0))
    for step in range(1, 9):
        before = state(task.model)
        task.before_step(step)
        drawn, alphas = task.choices[2].drawn, task.lesson(step) > 0
        learner.step(task.usable(batch)[0], 0.01, step)
        changed = {key for key, value in state(task.model).items() if not np.array_equal(value, before[key])}
        changed = {key for key in changed if "running" not in key}
        assert (changed == {"extractor.stack.2.alphas"}) == alphas == (step in (6, 8))
        assert {key.split(".")[3] for key in changed if key.startswith("extractor.stack.2.")} <= {
            "alphas" if alphas else str(drawn[0])
        }
        assert alphas or "generator.head.weight" in changed


def test_the_cost_factor_is_the_papers(tmp_path):
    """[ln E(multiply-adds) / ln G]^beta."""
    given = settings(tmp_path)
    task = task_of(build(given.model), given)
    load_state(task.model, {"extractor.stack.2.alphas": np.log([1.0, 2.0, 5.0])})
    expected = 8000 + (32000 * 1 + 0 * 2 + 96000 * 5) / 8
    with no_grad():
        found = float(ops.numpy(task.cost_factor()).sum())
    assert found == pytest.approx((np.log(expected) / np.log(20000)) ** 2, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"goal": 0.0}, "goal 0 million"), ({"every": 1}, "every 1"), ({"gamma": 1}, "no option 'gamma'")],
)
def test_settings_that_make_no_search_are_refused(options, said, tmp_path):
    given = settings(tmp_path)
    given = replace(given, task=StageSpec("search", given.task.options | options))
    with pytest.raises(UserError, match=said):
        task_of(build(given.model), given)
    plain = replace(given, model=tiny.model(), task=StageSpec("search"))
    with pytest.raises(UserError, match="takes an extractor with choices"):
        task_of(build(plain.model), plain)


def test_what_is_found_has_a_name_in_the_space():
    """The YAML that anybody can train says operations, not layers, and builds the network of the weights file."""
    stage = StageSpec("autostr", {"operations": ["k3e1", "any", "skip"] + ["any"] * 12, "width": 0.125})
    spec = replace(tiny.model(), extractor=stage)
    plan = plan_in(spec)
    rng = np.random.default_rng(0)
    arrays = {key: rng.standard_normal(value.shape) for key, value in sorted(state(build(spec)).items())}
    chosen = choose(plan, arrays, "extractor.stack.")
    assert len(chosen) == 13 and len(set(chosen.values())) > 3
    named = name_found(stage, plan, chosen)
    assert named.options["operations"][:1] == ["k3e1"] and named.options["operations"][2] == "skip"
    found = resolve(Weights(arrays, spec))
    assert plan_in(replace(spec, extractor=named)) == plan_in(found.spec)
    assert set(found.arrays) == set(state(build(found.spec)))


@pytest.mark.parametrize(("name", "size", "millions"), [("autostr", 10.0e6, 247), ("autostr-light", 3.5e6, 143)])
def test_the_configurations_have_the_sizes_that_they_state(name, size, millions):
    """The paper's 10 M parameters; the light one fits in 9 MB of float16; both stay below 450 M multiply-adds."""
    model = construct(load_config(name).model)
    named = model.named_layers()
    kept = buffers_of(named)
    count = sum(int(np.prod(shape)) for key, shape in arrays_of(named).items() if key not in kept)
    assert count == pytest.approx(size, rel=0.02)
    assert cost(model.extractor.layers(), *input_shape(model)) / 1e6 == pytest.approx(millions, abs=1)
    assert model.steps(np.array([256, 256])).tolist() == [25, 25]
