// A point in the plane of task embeddings, and the network that the hypernetwork makes of it.

const SIDE = 320; // of the plane, in the drawing's own units
const LEFT = 40; // room for the numbers on the axes
const POINT = "#C1272D"; // the hypernetwork's colour in all figures

function render({ model, el }) {
  const get = (name) => model.get(name);
  const hnet = { ...get("hypernet"), theta: numbers(get("theta")) };
  const tasks = readTasks(get);
  const extent = get("extent");
  const view = get("kind") === "regression" ? curves(tasks, get) : bars(tasks);

  const plane = drawing(SIDE + LEFT + 4, SIDE + 30, {
    tabindex: 0,
    role: "slider",
    "aria-label": "Task embedding. Arrow keys move it up, down, left and right; digits jump to a learned one",
    "aria-valuemin": -extent,
    "aria-valuemax": extent,
  });
  plane.style.touchAction = "none"; // a finger on the plane drags the point, beside it scrolls the page
  plane.style.cursor = "crosshair";
  const toX = (value) => LEFT + ((value + extent) / (2 * extent)) * SIDE;
  const toY = (value) => 4 + ((extent - value) / (2 * extent)) * SIDE;
  const picture = make("image", { x: LEFT, y: 4, width: SIDE, height: SIDE, preserveAspectRatio: "none" });
  const point = make(
    "g",
    {},
    make("circle", { r: 10, fill: POINT, "fill-opacity": 0.25, stroke: "white", "stroke-width": 5 }),
    make("circle", { r: 10, fill: POINT, "fill-opacity": 0.25, stroke: POINT, "stroke-width": 3 }),
    make("circle", { r: 2, fill: POINT }),
  );
  plane.append(picture, ...axes(extent, toX, toY), ...get("embeddings").map(learned), point);

  function learned([first, second], t) {
    const place = { x: toX(first), y: toY(second) + 4.5, "text-anchor": "middle", fill: "#16191d", "font-weight": 700 };
    return make(
      "g",
      {},
      make("circle", { cx: toX(first), cy: toY(second), r: 9, fill: "white", stroke: "#16191d", "stroke-width": 1.5 }),
      make("text", place, `${t + 1}`),
    );
  }

  const said = saying();
  const jumps = tasks.map((task, t) =>
    button(`${t + 1}`, () => move(get("embeddings")[t]), { "aria-label": `Jump to the embedding of task ${t + 1}` }),
  );

  /** Everything follows from the embedding. */
  function show() {
    const e = get("embedding");
    const weights = generate(hnet, e);
    const outputs = tasks.map((task) => task.inputs.map((x) => target(weights, x, task)));
    const scores = tasks.map((task, t) => score(task, outputs[t]));
    const where = `e = (${signed(e[0])}, ${signed(e[1])})`;
    point.setAttribute("transform", `translate(${toX(e[0])} ${toY(e[1])})`);
    set(plane, { "aria-valuenow": e[0].toFixed(2), "aria-valuetext": where });
    view.show(scores, (x) => target(weights, x, tasks[0])[0]);
    said.textContent = `${where}. ${view.says} ${scores.map((s, t) => `task ${t + 1}: ${view.write(s)}`).join(", ")}.`;
    el.hnet = { embedding: e, weights, outputs, scores }; // for whoever wants the numbers
  }

  const sizes = get("layers");
  const target = (weights, x, task) =>
    dense(weights, 0, sizes, x, ACTIVATIONS[get("activation")]).subarray(...(task.head || []));

  function move([first, second]) {
    const inside = (value) => Math.min(Math.max(value, -extent), extent);
    model.set("embedding", [inside(first), inside(second)]);
    model.save_changes();
    show(); // without a kernel nobody would tell us
  }

  function follow(event) {
    const box = plane.getBoundingClientRect();
    const unit = (SIDE + LEFT + 4) / box.width;
    const [x, y] = [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
    move([((x - LEFT) / SIDE) * 2 * extent - extent, extent - ((y - 4) / SIDE) * 2 * extent]);
  }
  set(plane, {
    onpointerdown: (event) => {
      plane.setPointerCapture(event.pointerId);
      plane.focus({ preventScroll: true });
      event.preventDefault();
      follow(event);
    },
    onpointermove: (event) => plane.hasPointerCapture(event.pointerId) && follow(event),
    onkeydown: (event) => {
      const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const [arrow, digit] = [arrows[event.key], get("embeddings")[Number(event.key) - 1]];
      if (!arrow && !digit) return;
      const step = (extent / 50) * (event.shiftKey ? 5 : 1);
      event.preventDefault();
      move(digit || get("embedding").map((value, i) => value + step * arrow[i]));
    },
  });

  function colour() {
    const shown = get("shown");
    if (get("points")) picture.setAttribute("href", landscape(get, shown));
    chooser.value = shown;
  }
  const chooser = make(
    "select",
    { style: "font:inherit;min-height:2.4rem;max-width:100%", onchange: () => paint(Number(chooser.value)) },
    ...tasks.map((task, t) => make("option", { value: t }, `task ${t + 1}: ${task.name}`)),
  );
  function paint(task) {
    model.set("shown", task);
    model.save_changes();
    colour();
  }
  const key = make("span", {
    style: `display:inline-block;width:4rem;height:.8rem;margin:0 .35rem;background:linear-gradient(to right,${
      [0, 0.25, 0.5, 0.75, 1].map(rgb).join()
    })`,
  });
  const legend = row(
    make("label", {}, "Colours: accuracy on ", chooser),
    make("span", {}, `${get("low")}% or less`, key, "100%"),
  );
  model.on("change:embedding", show);
  model.on("change:shown", colour);
  const above = get("points") ? [legend] : [];
  root(el, "hnet-embedding", ...above, row("Learned embeddings:", ...jumps), panels(plane, view.picture), said);
  colour();
  show();
}

/** Inputs as arrays of numbers, and answers, task by task. */
function readTasks(get) {
  const bytes = get("kind") === "classification";
  const [x, y] = [numbers(get("inputs"), bytes ? Uint8Array : Float32Array), numbers(get("answers"))];
  const width = get("layers")[0];
  let first = 0;
  return get("tasks").map(({ name, head, count }) => {
    const inputs = Array.from({ length: count }, (_, i) =>
      Float64Array.from(x.subarray((first + i) * width, (first + i + 1) * width), (value) => (bytes ? value / 255 : value)),
    );
    const answers = y.subarray(first, first + count);
    first += count;
    return { name, head, inputs, answers, classes: bytes && head ? head[1] - head[0] : 0 };
  });
}

/** Percent of right answers, or the mean squared error. */
function score({ answers, classes }, outputs) {
  const one = classes
    ? (output, i) => 100 * (output.indexOf(Math.max(...output)) === answers[i])
    : (output, i) => (output[0] - answers[i]) ** 2;
  return outputs.reduce((sum, output, i) => sum + one(output, i), 0) / outputs.length;
}

function axes(extent, toX, toY) {
  const ticks = [-extent, -extent / 2, 0, extent / 2, extent];
  const faint = { stroke: "currentColor", "stroke-opacity": 0.2 };
  return [
    ...ticks.flatMap((v) => [
      make("line", { x1: toX(v), x2: toX(v), y1: toY(-extent), y2: toY(extent), ...faint }),
      make("line", { x1: toX(-extent), x2: toX(extent), y1: toY(v), y2: toY(v), ...faint }),
      make("text", { x: toX(v), y: toY(-extent) + 15, "text-anchor": "middle" }, signed(v, v % 1 ? 1 : 0)),
      make("text", { x: LEFT - 6, y: toY(v) + 4, "text-anchor": "end" }, signed(v, v % 1 ? 1 : 0)),
    ]),
    make("text", { x: toX(extent / 4), y: toY(-extent) + 26, "text-anchor": "middle", "font-style": "italic" }, "e₁"),
    make("text", { x: 8, y: toY(extent / 4), "text-anchor": "middle", "font-style": "italic" }, "e₂"),
  ];
}

/** The accuracies over the plane as a picture, a pixel a point; rows run upwards. */
function landscape(get, task) {
  const points = get("points");
  const values = numbers(get("landscapes"), Uint8Array).subarray(task * points ** 2, (task + 1) * points ** 2);
  const canvas = make("canvas", { width: points, height: points });
  const context = canvas.getContext("2d");
  values.forEach((value, i) => {
    context.fillStyle = rgb((value / 2 - get("low")) / (100 - get("low"))); // stored in half percents
    context.fillRect(i % points, points - 1 - Math.floor(i / points), 1, 1);
  });
  return canvas.toDataURL();
}

/** The generated function of one number beside the true ones. */
function curves(tasks, get) {
  const [left, right, bottom, top] = get("window");
  const [width, height] = [360, 290];
  const at = (x, y) => `${30 + ((x - left) / (right - left)) * (width - 34)} ${4 + ((top - y) / (top - bottom)) * (height - 30)}`;
  const path = (xs, f) => "M" + xs.map((x, i) => at(x, Math.min(Math.max(f(x, i), bottom - 3), top + 3))).join("L");
  const picture = drawing(width, height, { role: "img", "aria-label": "The generated function, and dashed the true ones" });
  picture.style.overflow = "hidden";
  const line = { fill: "none", stroke: "currentColor" };
  const level = (y) => make("path", { d: `M${at(left, y)}L${at(right, y)}`, ...line, "stroke-opacity": 0.2 });
  const tick = (text, [x, y], anchor) => make("text", { x, y, "text-anchor": anchor }, text);
  const spot = (x, y) => at(x, y).split(" ").map(Number);
  const whole = (low, high) => Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => Math.ceil(low) + i);
  for (const y of whole(bottom, top)) picture.append(level(y), tick(signed(y, 0), [24, spot(0, y)[1] + 4], "end"));
  for (const x of whole(left, right)) picture.append(tick(signed(x, 0), [spot(x, 0)[0], height - 10], "middle"));
  for (const { inputs, answers } of tasks) {
    const d = path(inputs.map(([x]) => x), (_, i) => answers[i]);
    picture.append(make("path", { d, ...line, "stroke-width": 2, "stroke-dasharray": "5 4" }));
  }
  const generated = make("path", { fill: "none", stroke: visible(POINT), "stroke-width": 3 });
  picture.append(generated);
  const xs = Array.from({ length: 161 }, (_, i) => left + ((right - left) * i) / 160);
  return {
    picture,
    says: "Mean squared error,",
    write: (error) => error.toFixed(3),
    show: (scores, f) => generated.setAttribute("d", path(xs, (x) => f([x]))),
  };
}

/** A bar for the accuracy on each task; the thin line is chance. */
function bars(tasks) {
  const [width, step] = [360, 52];
  const picture = drawing(width, tasks.length * step, { role: "img", "aria-label": "Accuracy on each task" });
  const drawn = tasks.map((task, t) => {
    const y = t * step;
    const bar = make("rect", { x: 0, y: y + 18, height: 20, fill: visible(POINT), rx: 2 });
    const number = make("text", { x: width, y: y + 13, "text-anchor": "end", "font-weight": 700 });
    const chance = width / task.classes;
    picture.append(
      make("text", { x: 0, y: y + 13 }, `task ${t + 1}: ${task.name}`),
      make("rect", { x: 0, y: y + 18, width, height: 20, "fill-opacity": 0.08, rx: 2 }),
      bar,
      make("line", { x1: chance, x2: chance, y1: y + 15, y2: y + 41, stroke: "currentColor", "stroke-dasharray": "2 2" }),
      number,
    );
    return { bar, number };
  });
  const write = (score) => `${score.toFixed(0)}%`;
  function show(scores) {
    drawn.forEach(({ bar, number }, t) => {
      bar.setAttribute("width", (scores[t] / 100) * width);
      number.textContent = write(scores[t]);
    });
  }
  return { picture, says: "Right answers,", write, show };
}

export default { render };
