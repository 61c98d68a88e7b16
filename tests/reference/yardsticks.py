"""Compare MeZO with backpropagation in PyTorch, on the same data, seeds and batches: loss by step and by time, and peak memory.

    python tests/reference/yardsticks.py run --binary target/release/pocketllm --out runs/yardsticks
    python tests/reference/yardsticks.py draw --out runs/yardsticks --pictures www/pictures

`run` fine-tunes the small BERT on junk mail with every method below and several seeds. PyTorch's methods run in adam_torch.py. It then fits a
linear probe with both programs. Finished runs are not repeated. Each run is a separate process on one thread, and the system reports its peak
memory (ru_maxrss) and its processor time. Learning rates of Adam are the best of three on rows 128 to 384 of the held-out file, with a seed
that is not reported. Learning rates of MeZO are those that compare.py chose on the same rows. Rows from 384 on are reported. `draw` prints a
markdown table and writes mezo-and-adam.svg, with three charts. It is plain SVG and follows the reader's light or dark colors. The script needs
what adam_torch.py needs, so run it with a Python that has it.
"""

import argparse
import json
import math
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import equal_budget  # noqa: E402

TASK = equal_budget.TASKS["junk"]
MODEL = "models/bert"
BATCH = 8
REPORTED = (384, 640)  # rows of the held-out file
CHOOSING_SEED = 100


@dataclass
class Method:
    program: str
    flags: list
    steps: int
    rates: tuple  # the first one is taken if there is only one


METHODS = {
    "MeZO, all weights": Method("pocketllm", ["--eps", "1e-3"], 640, (4e-5,)),
    "MeZO, LoRA": Method("pocketllm", ["--method", "lora", "--eps", "1e-2"], 640, (3e-2,)),
    "readout": Method("pocketllm", ["--method", "readout", "--shots", "512"], 1, ()),
    "Adam, all weights": Method("torch", ["--method", "full"], 160, (3e-5, 1e-4, 3e-4)),
    "Adam, LoRA": Method("torch", ["--method", "lora"], 160, (1e-3, 3e-3, 1e-2)),
    "linear probe": Method("torch", ["--method", "probe"], 1, ()),
}


def measured(command):
    """Run a command, and return the peak of its memory in bytes and the seconds of processor time that it took."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.environ["LP_NUM_THREADS"] = "1"
        os.execvp(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}")
    return {"peak_bytes": usage.ru_maxrss * 1024, "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1)}


def one(args, name, seed, rate, rows=REPORTED):
    """Execute a run unless it is finished. Return the lines of its log, and what was measured."""
    method = METHODS[name]
    slug = "".join(c if c.isalnum() else "-" for c in name)
    out = Path(args.out) / slug / f"{rate}-{seed}-{rows[0]}"
    done = out / "done.json"
    if not done.exists():
        if args.what == "draw":
            return None
        held_out = equal_budget.held_out(args, "junk", *rows)
        every = method.steps // 16 if rows == REPORTED else method.steps
        command = ["--model", MODEL, "--train", TASK.train, "--eval", held_out, "--seed", seed, "--out", out]
        probe = not method.rates
        if not probe:
            command += ["--template", TASK.masked, "--labels", TASK.labels, "--steps", method.steps, "--batch-size", BATCH, "--lr", rate]
        if method.program == "torch":
            script = Path(__file__).with_name("adam_torch.py")
            command = [sys.executable, script, *command, *method.flags, "--evaluate-every", every, "--max-tokens", TASK.length, "--threads", 1]
            command += ["--labels", TASK.labels, "--rows", 1024] if probe else []
        else:
            command = [args.binary, "--json", "finetune", *command, *method.flags, "--max-length", TASK.length]
            command += ["--data-seed", seed, "--resume"] if probe else ["--eval-every", every, "--resume"]
        done.write_text(json.dumps(measured([str(part) for part in command])))
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return lines, json.loads(done.read_text())


def rate_of(args, name):
    rates = METHODS[name].rates
    if len(rates) < 2 or args.middle:
        return rates[len(rates) // 2] if rates else None
    ends = {}
    for rate in rates:
        found = one(args, name, CHOOSING_SEED, rate, equal_budget.CHOOSING)
        if found:
            ends[rate] = [line["eval_loss"] for line in found[0] if "eval_loss" in line][-1]
    return min(ends, key=ends.get) if ends else None


@dataclass
class Curve:
    name: str
    rate: object
    points: list  # (steps, seconds of processor time, loss, accuracy), means over the seeds
    deviation: float  # of the final accuracies
    peak: float
    own: object  # peak without the libraries' part, if that is known
    cpu: float  # seconds of processor time of the whole process
    seeds: int


def curve(args, name):
    rate = rate_of(args, name)
    runs = [run for run in (one(args, name, seed, rate) for seed in range(args.seeds)) if run]
    if not runs:
        return None
    of_seed = []
    for lines, done in runs:
        evaluated = [line for line in lines if "eval_loss" in line]
        if not METHODS[name].rates:
            evaluated = [evaluated[-1] | {"step": 1}]
        # The processor time of the whole process, divided by the steps, because on a busy machine elapsed time says little.
        second = done["cpu_seconds"] / evaluated[-1]["step"]
        of_seed.append([(line["step"], line["step"] * second, line["eval_loss"], line["eval_accuracy"]) for line in evaluated])
    points = [tuple(statistics.mean(values) for values in zip(*at)) for at in zip(*of_seed)]
    ends = [points_of_seed[-1][3] for points_of_seed in of_seed]
    own = [line["own_bytes"] for lines, _ in runs for line in lines if "own_bytes" in line]
    peak = statistics.mean(done["peak_bytes"] for _, done in runs)
    cpu = statistics.mean(done["cpu_seconds"] for _, done in runs)
    deviation = statistics.stdev(ends) if len(ends) > 1 else 0.0
    return Curve(name, rate, points, deviation, peak, statistics.mean(own) if own else None, cpu, len(runs))


# --- charts ---------------------------------------------------------------------------------------------------------

COLORS = ["#0969da", "#8250df", "#1a7f37", "#cf222e", "#bc4c00", "#6e7781"]
WIDTH, HEIGHT, LEFT, TOP = 300, 200, 46, 34


def text(x, y, words, anchor="middle", size=11, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {more}>{words}</text>'


def chart(at, title, x_of, across, curves, limits):
    """A chart of held-out losses over x_of(point), on a logarithmic scale."""
    xs = [x_of(point) for one_curve in curves for point in one_curve.points if x_of(point) > 0]
    low, high = math.log10(min(xs)), math.log10(max(xs))
    bottom, top = limits

    def place(x, loss):
        right = LEFT + WIDTH * (math.log10(max(x, min(xs))) - low) / max(high - low, 1e-9)
        return at + right, TOP + HEIGHT * (1 - (loss - bottom) / (top - bottom))

    parts = [text(at + LEFT + WIDTH / 2, 18, title, size=12, more='font-weight="600"'), text(at + LEFT + WIDTH / 2, TOP + HEIGHT + 34, across)]
    parts.append(f'<path class="axis" d="M{at + LEFT} {TOP}v{HEIGHT}h{WIDTH}"/>')
    for i in range(5):
        loss = bottom + (top - bottom) * i / 4
        _, y = place(min(xs), loss)
        parts += [text(at + LEFT - 5, y + 4, f"{loss:.2f}", "end"), f'<path class="grid" d="M{at + LEFT} {y:.1f}h{WIDTH}"/>']
    ticks = [digit * 10**power for power in range(math.floor(low), math.ceil(high)) for digit in (1, 2, 5)]
    for tick in ticks:
        if low <= math.log10(tick) <= high:
            x, _ = place(tick, bottom)
            parts.append(text(x, TOP + HEIGHT + 16, f"{tick:g}"))
    for number, one_curve in enumerate(curves):
        spots = [place(x_of(point), min(point[2], top)) for point in one_curve.points]
        color = COLORS[number]
        if len(spots) > 1:
            parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in spots)}"/>')
        else:
            parts.append(f'<circle cx="{spots[0][0]:.1f}" cy="{spots[0][1]:.1f}" r="4" fill="{color}"/>')
    return parts


def bars(at, title, curves):
    """Peak memory. For PyTorch, the part that its libraries take before a model is loaded is pale."""
    most = max(one_curve.peak for one_curve in curves)
    parts = [text(at + WIDTH / 2, 18, title, size=12, more='font-weight="600"')]
    for number, one_curve in enumerate(curves):
        y = TOP + number * HEIGHT / len(curves)
        length, height = WIDTH * one_curve.peak / most, HEIGHT / len(curves) - 18
        own = WIDTH * (one_curve.own or one_curve.peak) / most
        color = COLORS[number]
        parts += [
            text(at, y + 10, f"{one_curve.name}: {one_curve.peak / 1e6:,.0f} MB", "start"),
            f'<rect x="{at}" y="{y + 14:.1f}" width="{length:.1f}" height="{height:.1f}" fill="{color}" opacity="0.35"/>',
            f'<rect x="{at}" y="{y + 14:.1f}" width="{own:.1f}" height="{height:.1f}" fill="{color}"/>',
        ]
    return parts


STYLE = """text{font-family:system-ui,sans-serif;fill:#24292f}.axis{fill:none;stroke:#57606a}.grid{fill:none;stroke:#d0d7de;stroke-width:.5}
svg{background:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.axis{stroke:#8b949e}.grid{stroke:#30363d}svg{background:#0d1117}}"""


def picture(curves):
    losses = [point[2] for one_curve in curves for point in one_curve.points]
    limits = (max(0.0, min(losses) - 0.02), max(one_curve.points[0][2] for one_curve in curves) + 0.02)
    across = LEFT + WIDTH + 30
    parts = chart(0, "Held-out loss by step", lambda point: point[0], "steps of 8 examples", curves, limits)
    parts += chart(across, "Held-out loss by time", lambda point: point[1], "seconds of processor time, with start and evaluations", curves, limits)
    parts += bars(2 * across, "Peak memory of the process", curves)
    for number, one_curve in enumerate(curves):
        x, y = LEFT + (number % 3) * 300, TOP + HEIGHT + 58 + 18 * (number // 3)
        parts += [f'<rect x="{x}" y="{y - 9}" width="14" height="10" fill="{COLORS[number]}"/>', text(x + 20, y, one_curve.name, "start")]
    width, height = 2 * across + WIDTH + 20, TOP + HEIGHT + 90
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"


def draw(args):
    curves = [one_curve for one_curve in (curve(args, name) for name in METHODS) if one_curve]
    print("| method | program | learning rate | steps | seeds | processor time | held-out loss | held-out accuracy | peak memory | without libraries |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for one_curve in curves:
        step, _, loss, accuracy = one_curve.points[-1]
        program = {"torch": "PyTorch", "pocketllm": "PocketLLM"}[METHODS[one_curve.name].program]
        own = f"{one_curve.own / 1e6:,.0f} MB" if one_curve.own else ""
        rate = "" if one_curve.rate is None else f"{one_curve.rate:g}"
        cells = [one_curve.name, program, rate, f"{step:.0f}" if rate else "", one_curve.seeds, f"{one_curve.cpu:.0f} s", f"{loss:.3f}"]
        cells += [f"{accuracy:.1%}" + (f" ± {100 * one_curve.deviation:.1f}" if one_curve.seeds > 1 else ""), f"{one_curve.peak / 1e6:,.0f} MB", own]
        print("| " + " | ".join(map(str, cells)) + " |")
    Path(args.pictures).mkdir(parents=True, exist_ok=True)
    (Path(args.pictures) / "mezo-and-adam.svg").write_text(picture(curves), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "draw"])
    parser.add_argument("--binary", default="target/release/pocketllm")
    parser.add_argument("--out", default="runs/yardsticks")
    parser.add_argument("--pictures", default="www/pictures")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the names of the methods to run")
    parser.add_argument("--middle", action="store_true", help="take the middle one of three learning rates, and choose none")
    args = parser.parse_args()
    if args.what == "draw":
        draw(args)
        return
    for name in METHODS:
        if args.only in name:
            rate = rate_of(args, name)
            for seed in range(args.seeds):
                lines, done = one(args, name, seed, rate)
                last = [line for line in lines if "eval_loss" in line][-1]
                print(f"{name}, lr {rate}, seed {seed}: {last['eval_loss']:.4f}, {last['eval_accuracy']:.1%}, {done['peak_bytes'] / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
