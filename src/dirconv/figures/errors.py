"""Training and test error: during SGD until ℒ < ℓ(0), and along the flow from there.

(a) Error in percent against SGD's epochs. (b) Error in percent against ln(1/ℒ) along the flow. Dotted: training images;
solid: test images. One line per seed.
"""

from __future__ import annotations

from dirconv.figures import Drawing, Figure, Source, positive, separating, stack, style, thin

NUMERICS = 1
FIGURE = Figure(tables=("training", "errors"))
COLUMNS = ["run", "network", "seed", "phase", "images", "against", "x", "error_percent"]
IMAGES = {"train": (0, (1.5, 1.5)), "test": "-"}  # line styles


def draw(sources: list[Source]) -> Drawing:
    """The picture, and its data: a row a point, error in percent on training or test images."""
    palette = style.colours(source.run for source in sources)
    shown = separating(sources, "errors")
    parts = []
    for source in shown:
        for images in IMAGES:
            column = f"{images}_error"
            sgd = thin(source.tables["training"].dropna(subset=[column]), column)
            flow = positive(source.snapshots("errors").dropna(subset=[column]), "log_inverse_risk")
            for phase, against, rows in (("sgd", "epoch", sgd), ("flow", "log_inverse_risk", flow)):
                part = rows.assign(phase=phase, images=images, against=against, x=rows[against])
                parts.append(part.assign(error_percent=100 * rows[column], **source.identity))
    table = stack(parts, COLUMNS)

    picture, (axes,) = style.panels(1, 2, 2.9)
    titles = {"sgd": ("SGD, until ℒ < ℓ(0)", "epoch"), "flow": ("the flow from there", style.LOG_INVERSE_RISK)}
    for panel, (phase, (title, label)) in zip(axes, titles.items(), strict=True):
        of_phase = table[table["phase"] == phase]
        if of_phase.empty:
            style.empty(panel)
        else:
            for images, line in IMAGES.items():
                rows = of_phase[of_phase["images"] == images]
                style.curves(panel, rows, "x", "error_percent", palette, linestyle=line)
            panel.set_ylim(bottom=-0.03 * panel.get_ylim()[1])  # keeps a line at zero off the axis
        panel.set(title=title, xlabel=label, ylabel="error (%)")
    style.log(axes[1], x=True)
    names = {"train": "training images", "test": "test images"}
    guides = [style.guide(names[images], linestyle=line, color="0.25") for images, line in IMAGES.items()]
    return style.finished(picture, axes, shown, palette, *guides), table
