// Training on a sequence of tasks, moment by moment: the accuracy matrix fills in, and a curve for each task is drawn.

const CELL = 54;
const ROW = 50; // height of one task's curve
const WIDE = 360;

function render({ model, el }) {
  const get = (name) => model.get(name);
  const [history, moments, colors] = [get("history"), get("moments"), get("colors")];
  const methods = get("methods");
  const tasks = history[methods[0]][0].length;
  const last = moments.length - 1;
  const total = moments[last].total;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = null;

  const matrix = emptyMatrix(tasks);
  const lowest = Math.min(...Object.values(history).flat(2).filter((value) => value !== null));
  const curves = emptyCurves(moments, tasks, total, methods, 20 * Math.floor(lowest / 20));
  const slider = make("input", {
    type: "range", min: 0, max: last, step: 1, "aria-label": "Moment of training",
    style: "flex:1 1 10rem;height:2.4rem;accent-color:#C1272D",
    oninput: () => stop() || go(Number(slider.value)),
  });
  const playing = button("Play", () => (timer ? stop() : play()), { "data-does": "play" });
  const back = button("\u25c2", () => stop() || go(get("moment") - 1), { "aria-label": "One moment back" });
  const on = button("\u25b8", () => stop() || go(get("moment") + 1), { "aria-label": "One moment on" });
  const name = `method-${Math.random().toString(36).slice(2)}`;
  const choice = make(
    "fieldset",
    { style: "border:0;padding:0;margin:0;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem" },
    make("legend", { style: "font-size:.92em;float:left;margin:0 .6rem 0 0;line-height:2.2rem;width:auto" }, "Method"),
    ...methods.map((method) => {
      const dot = make("input", { type: "radio", name, value: method, style: `accent-color:${colors[method]}` });
      dot.addEventListener("change", () => choose(method));
      const style = "display:inline-flex;gap:.4rem;align-items:center;min-height:2.2rem;cursor:pointer";
      return make("label", { style }, dot, make("b", { style: `border-bottom:3px solid ${visible(colors[method])}` }, method));
    }),
  );
  const said = saying();

  function go(moment) {
    model.set("moment", Math.min(Math.max(moment, 0), last));
    model.save_changes();
    show(); // without a kernel nobody would tell us
  }
  function choose(method) {
    model.set("method", method);
    model.save_changes();
    show();
  }
  /** A whole task at a time, and slowly, for whoever has asked for less motion. */
  function play() {
    if (get("moment") === last) go(0);
    playing.textContent = "Pause";
    timer = setInterval(forward, still.matches ? 2000 : 300);
  }
  function forward() {
    const now = get("moment");
    const ends = moments.findIndex(({ ends }, i) => ends && i > now);
    go(still.matches ? ends : now + 1);
    if (get("moment") === last) stop();
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    playing.textContent = "Play";
    said.setAttribute("aria-live", "polite");
  }

  function show() {
    const [now, method] = [get("moment"), get("method")];
    const { task, step, steps } = moments[now];
    const seen = history[method].slice(0, now + 1);
    matrix.show(seen, moments);
    curves.show(history, method, now, colors);
    const values = seen[now].slice(0, task + 1);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    if (timer) said.setAttribute("aria-live", "off"); // nobody wants to hear every moment
    said.textContent =
      `${method}: ${step} of ${steps} steps on task ${task + 1}. Accuracy, ` +
      `${values.map((v, t) => `task ${t + 1}: ${v.toFixed(0)}%`).join(", ")}; mean ${mean.toFixed(0)}%.`;
    slider.value = now;
    slider.setAttribute("aria-valuetext", `task ${task + 1}, ${step} of ${steps} steps`);
    for (const dot of choice.querySelectorAll("input")) dot.checked = dot.value === method;
    el.hnet = { method, moment: now, values }; // for whoever wants the numbers
  }
  model.on("change:moment", show);
  model.on("change:method", show);
  root(el, "hnet-forgetting", choice, row(playing, back, on, slider), panels(matrix.picture, curves.picture), said);
  show();
  return stop;
}

/** Rows: after which task; columns: on which task. The row under way shows the accuracies of the moment. */
function emptyMatrix(tasks) {
  const picture = drawing(44 + tasks * CELL, 34 + tasks * CELL, { role: "img", "aria-label": "Accuracy matrix" });
  const middle = { "text-anchor": "middle" };
  const cells = [];
  for (let i = 0; i < tasks; i++) {
    const x = 44 + (i + 0.5) * CELL;
    picture.append(make("text", { x, y: 14 + tasks * CELL + 4, ...middle }, `${i + 1}`));
    picture.append(make("text", { x: 34, y: (i + 0.5) * CELL + 4, "text-anchor": "end" }, `${i + 1}`));
    cells.push(
      Array.from({ length: i + 1 }, (_, j) => {
        const box = make("rect", { x: 44 + j * CELL + 1, y: i * CELL + 1, width: CELL - 2, height: CELL - 2, rx: 3 });
        const text = make("text", { x: 44 + (j + 0.5) * CELL, y: (i + 0.5) * CELL + 5, ...middle, "font-size": 14 });
        picture.append(box, text);
        return { box, text };
      }),
    );
  }
  picture.append(make("text", { x: 44 + (tasks * CELL) / 2, y: 32 + tasks * CELL, ...middle }, "accuracy on task"));
  const up = { transform: `translate(12 ${(tasks * CELL) / 2}) rotate(-90)`, ...middle };
  picture.append(make("text", up, "after learning task"));

  function show(seen, moments) {
    const now = seen.length - 1;
    cells.forEach((line, i) => {
      const at = seen.findLastIndex((_, m) => moments[m].task === i); // its last moment so far
      line.forEach(({ box, text }, j) => {
        const value = at < 0 ? null : seen[at][j];
        const under = i === moments[now].task && !moments[now].ends;
        const nothing = value === null;
        set(box, { fill: nothing ? "currentColor" : rgb(value / 100), "fill-opacity": nothing ? 0.06 : 1 });
        set(box, { stroke: under ? visible("#C1272D") : "none", "stroke-width": 2 });
        text.setAttribute("fill", value > 50 ? "white" : "#16191d");
        text.textContent = nothing ? "" : value.toFixed(0);
      });
    });
  }
  return { picture, show };
}

/** A narrow picture for each task, all over the same steps of training; grey where the task itself is trained. */
function emptyCurves(moments, tasks, total, methods, low) {
  const picture = drawing(WIDE + 50, tasks * ROW + 34, { role: "img", "aria-label": "Accuracy on each task over training" });
  const toX = (steps) => 44 + (steps / total) * (WIDE - 44);
  const toY = (task, value) => task * ROW + 4 + ((100 - value) / (100 - low)) * (ROW - 8);
  const starts = (task) => moments.find((moment) => moment.task === task).start;
  const lines = [];
  for (let task = 0; task < tasks; task++) {
    const [from, to] = [starts(task), task + 1 < tasks ? starts(task + 1) : total];
    const place = { x: toX(from), y: task * ROW + 2, width: toX(to) - toX(from), height: ROW - 4 };
    picture.append(make("rect", { ...place, "fill-opacity": 0.1 }));
    const base = { x1: 44, x2: WIDE, y1: toY(task, low), y2: toY(task, low), stroke: "currentColor", "stroke-opacity": 0.3 };
    picture.append(make("line", base), make("text", { x: 38, y: task * ROW + 27, "text-anchor": "end" }, `task ${task + 1}`));
    picture.append(make("text", { x: toX((from + to) / 2), y: tasks * ROW + 14, "text-anchor": "middle" }, `${task + 1}`));
    const drawn = Object.fromEntries(methods.map((method) => [method, make("path", { fill: "none" })]));
    const number = make("text", { x: WIDE + 8, y: task * ROW + 27, "font-weight": 700 });
    picture.append(...Object.values(drawn), number);
    lines.push({ drawn, number });
  }
  const below = { x: toX(total / 2), y: tasks * ROW + 31, "text-anchor": "middle" };
  picture.append(make("text", below, `task in training; curves from ${low} to 100%`));

  function show(history, chosen, now, colors) {
    lines.forEach(({ drawn, number }, task) => {
      for (const [method, path] of Object.entries(drawn)) {
        const known = history[method].slice(0, now + 1).map((values, m) => [moments[m].total, values[task]]);
        const points = known.filter(([, value]) => value !== null).map(([x, value]) => `${toX(x)} ${toY(task, value)}`);
        const own = method === chosen;
        set(path, { d: points.length ? `M${points.join("L")}` : "", stroke: visible(colors[method]) });
        set(path, { "stroke-width": own ? 3 : 1.5, "stroke-opacity": own ? 1 : 0.45, "stroke-dasharray": own ? "" : "3 3" });
      }
      const value = history[chosen][now][task];
      number.textContent = value === null ? "" : `${value.toFixed(0)}%`;
    });
  }
  return { picture, show };
}

export default { render };
