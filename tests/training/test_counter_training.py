"""A very small network trained for a few steps: it learns, and a stopped run ends up where an unbroken one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.metrics import CountErrors
from headcount.core.t2icount.network import CountNetwork
from safetensors import safe_open
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from training.batches import Batch, batches_of, gathered
from training.counter_training import CounterTraining, Report, ShouldStop, Validation
from training.progress import COLUMNS, Progress
from training.run_folder import RunFolder
from training.settings import TrainSettings
from training.texts import NounTexts

from ..helpers.counting_sets import TINY, Squares, tiny_network, tiny_tokens

SHORT = TrainSettings(epochs=2, batch=3, rate=1e-3, validate_from=1)


def training_in(folder: Path, settings: TrainSettings = SHORT, validate: Validation | None = None) -> CounterTraining:
    return CounterTraining(tiny_network(), tiny_tokens, Squares(5), settings, RunFolder(folder), validate)


def scores(*values: float) -> Validation:
    """A validation with these MAEs, one after the other."""
    left = list(values)

    def validate(_network: CountNetwork, _texts: object, _should_stop: ShouldStop) -> CountErrors:
        return CountErrors(left.pop(0), 0.0, 1)

    return validate


def stops_after(calls: int) -> ShouldStop:
    left = calls

    def should_stop() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    return should_stop


def batch_of(trained: CounterTraining, size: int = 4) -> Batch:
    return gathered([trained.examples.example(1, index) for index in range(size)])


def same_weights(one: CountNetwork, other: CountNetwork) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_loss_of_one_batch_falls(tmp_path: Path) -> None:
    trained = training_in(tmp_path)
    batch = batch_of(trained)
    losses = [trained.step(batch) for _ in range(12)]
    for name in ("loss", "regression", "coarse_similarity", "fine_similarity"):
        assert losses[-1][name] < 0.9 * losses[0][name], name


@pytest.mark.parametrize("seed", range(5))
def test_a_new_network_can_learn_to_count(seed: int) -> None:
    """Where all of its density is 0, the last ReLU lets no gradient through."""
    network = tiny_network(seed)
    text = NounTexts(network, tiny_tokens).rows(["dots"])
    pixels = torch.rand(1, 3, TINY.window, TINY.window, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    density = network(pixels, text).density
    assert density.min() > 0.5
    assert torch.equal(density, _again(seed, pixels))


def _again(seed: int, pixels: torch.Tensor) -> torch.Tensor:
    network = tiny_network(seed)
    return network(pixels, NounTexts(network, tiny_tokens).rows(["dots"])).density


def test_only_unet_and_decoder_change(tmp_path: Path) -> None:
    trained = training_in(tmp_path)
    before = {name: value.clone() for name, value in trained.network.state_dict().items()}
    trained.step(batch_of(trained))
    changed = {name for name, value in trained.network.state_dict().items() if not torch.equal(value, before[name])}
    trainable = {name for name in before if name.startswith(("unet.", "decoder."))}
    assert changed <= trainable
    assert len(changed) > 0.9 * len(trainable)
    decoder, unet = (trained.trainer.optimiser.param_groups[group] for group in (1, 0))
    assert (unet["lr"], unet["weight_decay"]) == (0.1 * decoder["lr"], 0.1 * decoder["weight_decay"])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> CounterTraining:
    """Two epochs of two batches."""
    trained = training_in(tmp_path_factory.mktemp("unbroken"), validate=scores(2, 1))
    assert trained.fit().is_over
    return trained


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_stopped_run_ends_where_an_unbroken_one_does(tmp_path: Path, unbroken: CounterTraining, batches: int) -> None:
    """Stopped before any batch, within an epoch, and between two."""
    stopped = training_in(tmp_path, validate=scores(2, 1))
    assert not stopped.fit(should_stop=stops_after(batches)).is_over
    validate = scores(*([2, 1] if batches < 2 else [1]))
    resumed = CounterTraining(tiny_network(seed=9), tiny_tokens, Squares(5), SHORT, RunFolder(tmp_path), validate)
    assert resumed.fit().is_over
    assert same_weights(resumed.network, unbroken.network)
    assert [_without_time(row) for row in resumed.progress.rows] == [_without_time(r) for r in unbroken.progress.rows]
    assert resumed.progress.best_epoch == 2
    for name in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / name).read_bytes() == (unbroken.folder.path / name).read_bytes()


def test_stopped_in_its_validation_a_run_validates_first(tmp_path: Path, unbroken: CounterTraining) -> None:
    calls: list[bool] = []

    def interrupted(_network: CountNetwork, _texts: object, _should_stop: ShouldStop) -> None:
        calls.append(True)

    assert not training_in(tmp_path, validate=interrupted).fit().is_over
    resumed = training_in(tmp_path, validate=scores(2, 1))
    assert resumed.fit().is_over
    assert len(calls) == 1
    assert same_weights(resumed.network, unbroken.network)


def test_a_finished_run_can_be_made_longer(tmp_path: Path, unbroken: CounterTraining) -> None:
    training_in(tmp_path, replace(SHORT, epochs=1), scores(2)).fit()
    longer = training_in(tmp_path, SHORT, scores(1))
    assert longer.fit().is_over
    assert same_weights(longer.network, unbroken.network)


def _without_time(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "seconds"}


def test_a_batch_in_parts_is_the_same_step(tmp_path: Path) -> None:
    whole, parts = training_in(tmp_path / "whole"), training_in(tmp_path / "parts", replace(SHORT, accumulate=2))
    batch = batch_of(whole, size=3)  # two and one
    one, other = whole.step(batch), parts.step(batch)
    assert one == pytest.approx(other, rel=1e-5)
    gradients = [torch.cat([p.grad.flatten() for p in run.network.decoder.parameters()]) for run in (whole, parts)]
    difference = (gradients[0] - gradients[1]).norm() / gradients[0].norm()
    assert difference < 0.02  # a ReLU may flip on a rounding error


def test_checkpointing_changes_nothing(tmp_path: Path) -> None:
    twice, once = training_in(tmp_path / "twice"), training_in(tmp_path / "once", replace(SHORT, checkpointing=False))
    batch = batch_of(twice)
    assert twice.step(batch) == pytest.approx(once.step(batch), rel=1e-6)
    assert all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-7)
        for a, b in zip(twice.network.parameters(), once.network.parameters(), strict=True)
    )


def test_workers_make_the_same_batches(tmp_path: Path) -> None:
    examples = training_in(tmp_path).examples
    alone, helped = (list(batches_of(2, examples, 3, 1, workers, is_pinned=False)) for workers in (0, 2))
    assert [len(batch) for batch in alone] == [2]  # five pictures, the first batch left out
    for one, other in zip(alone, helped, strict=True):
        assert one.nouns == other.nouns
        assert torch.equal(one.pixels, other.pixels) and torch.equal(one.density, other.density)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_too(tmp_path: Path, precision: str) -> None:
    trained = training_in(tmp_path, replace(SHORT, precision=precision))
    batch = batch_of(trained)
    losses = [trained.step(batch)["loss"] for _ in range(3)]
    assert losses[-1] < losses[0]
    assert all(parameter.dtype == torch.float32 for parameter in trained.network.parameters())


def test_the_best_is_kept_and_patience_ends_a_run(tmp_path: Path) -> None:
    kept: list[bytes] = []

    def remember(report: Report) -> None:
        if report.validated is not None:
            kept.append((tmp_path / "best.safetensors").read_bytes())

    settings = replace(SHORT, epochs=9, batch=5, validate_from=2, patience=2)
    trained = training_in(tmp_path, settings, scores(5, 3, 4, 3.5))
    progress = trained.fit(remember)
    assert progress.is_over
    assert [row["validation_mae"] for row in progress.rows] == [None, 5, 3, 4, 3.5]
    assert (progress.best_epoch, progress.best_score) == (3, 3)
    assert kept[0] != kept[1] == kept[2] == kept[3]
    assert training_in(tmp_path, settings, scores()).fit().rows == progress.rows  # over, so nothing more is done


def test_the_log_has_a_row_per_epoch(tmp_path: Path, unbroken: CounterTraining) -> None:
    lines = unbroken.folder.log.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
    assert [line.split(",")[6] for line in lines[1:]] == ["2", "1"]
    means = Progress()
    means.add({"loss": 1.0}, 3)
    means.add({"loss": 5.0}, 1)
    assert means.mean("loss") == 2.0


def test_a_checkpoint_says_what_it_is(unbroken: CounterTraining) -> None:
    with safe_open(unbroken.folder.best, "pt") as file:
        assert file.metadata() == {"headcount.t2icount": "tiny"}
        assert set(file.keys()) == set(tiny_network().state_dict())


def coming_down(optimiser: Optimizer, steps: int) -> LambdaLR:
    """To half of the rates."""
    return LambdaLR(optimiser, lambda step: 1 - step / steps / 2)


def rates(trained: CounterTraining) -> list[float]:
    return [group["lr"] for group in trained.trainer.optimiser.param_groups]


def test_the_schedule_goes_through_the_whole_run(tmp_path: Path) -> None:
    seen: list[list[float]] = []
    trained = training_in(tmp_path, replace(SHORT, schedule=coming_down))
    trained.fit(lambda _report: seen.append(rates(trained)))
    rate = SHORT.rate
    assert [unet for unet, _ in seen[:2]] == pytest.approx([0.1 * rate * 0.875, 0.1 * rate * 0.75])
    assert rates(trained) == pytest.approx([0.1 * rate / 2, rate / 2])


def test_the_published_rates(tmp_path: Path) -> None:
    """5e-5 for the decoder, a tenth of it for the U-Net, from the first step to the last."""
    trained = training_in(tmp_path, TrainSettings(epochs=1, batch=3))
    assert rates(trained) == pytest.approx([5e-6, 5e-5])
    trained.fit()
    assert rates(trained) == pytest.approx([5e-6, 5e-5])


def test_a_stopped_run_goes_on_at_the_rates_that_it_would_have_had(tmp_path: Path) -> None:
    settings = replace(SHORT, schedule=coming_down)
    whole = training_in(tmp_path / "whole", settings)
    whole.fit()
    training_in(tmp_path / "stopped", settings).fit(should_stop=stops_after(3))
    resumed = training_in(tmp_path / "stopped", settings)
    assert rates(resumed) == pytest.approx([SHORT.rate * share * 0.625 for share in (0.1, 1)])
    resumed.fit()
    assert same_weights(resumed.network, whole.network) and rates(resumed) == rates(whole)


def test_goes_on_with_a_run_of_version_0_3(tmp_path: Path) -> None:
    """It kept no base rates, and the rates of the last step instead of the next one's."""
    settings = replace(SHORT, schedule=coming_down)
    whole = training_in(tmp_path / "whole", settings)
    whole.fit()
    training_in(tmp_path / "stopped", settings).fit(should_stop=stops_after(3))
    file = tmp_path / "stopped" / "resume.pt"
    state = torch.load(file, weights_only=True)
    for group in state["optimiser"]["param_groups"]:
        group["lr"] = group.pop("initial_lr") * 0.75
    torch.save(state, file)
    resumed = training_in(tmp_path / "stopped", settings)
    resumed.fit()
    assert same_weights(resumed.network, whole.network)


def test_gradients_are_held_down(tmp_path: Path) -> None:
    trained = training_in(tmp_path, replace(SHORT, largest_gradient=1e-3))
    trained.step(batch_of(trained))
    norms = [p.grad.norm() for p in trained.network.parameters() if p.grad is not None]
    assert torch.stack(norms).norm() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "message"), [({"seed": 1}, "seed 0 then, 1 now"), ({"batch": 5}, "batch 3 then, 5 now")]
)
def test_other_settings_do_not_go_on_with_a_run(tmp_path: Path, change: dict[str, int], message: str) -> None:
    training_in(tmp_path).fit(should_stop=stops_after(0))
    with pytest.raises(CountError, match=message):
        training_in(tmp_path, replace(SHORT, **change))


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "resume.pt").write_bytes(b"half a file")
    with pytest.raises(CountError, match=r"resume\.pt cannot be read .* delete it"):
        training_in(tmp_path)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    trained = training_in(tmp_path)
    with torch.no_grad():
        trained.network.decoder.regressor.reg_head[0].bias.fill_(float("nan"))
    with pytest.raises(CountError, match="the loss is nan in epoch 1, batch 1"):
        trained.step(batch_of(trained))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainSettings(batch=0), "batch is 0"),
        (lambda: TrainSettings(precision="fp8"), "one of fp32, bf16, fp16"),
        (lambda: CounterTraining(tiny_network(), tiny_tokens, Squares(0), SHORT, RunFolder(Path("/"))), "no pictures"),
    ],
)
def test_says_what_cannot_be_trained_with(make: Callable[[], object], message: str) -> None:
    with pytest.raises(CountError, match=message):
        make()


def test_texts_are_read_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def tokens(noun: str) -> tuple[torch.Tensor, torch.Tensor]:
        asked.append(noun)
        return tiny_tokens(noun)

    trained = CounterTraining(tiny_network(), tokens, Squares(5), SHORT, RunFolder(tmp_path))
    rows = trained.texts.rows(["dots", "squares", "dots"])
    assert asked == ["dots", "squares"]
    assert torch.equal(rows.hidden[0], rows.hidden[2]) and not torch.equal(rows.hidden[0], rows.hidden[1])
    assert rows.mask.shape == (3, TINY.text.positions)
