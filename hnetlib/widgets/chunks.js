// A slider for the chunk size, and what follows from it. Sizes are counted here as HyperNetwork.num_parameters does.

const STEPS = 200; // of the slider, which is logarithmic

/** Weights of a chunked hypernetwork, embeddings included. */
function count({ num_weights, task_dim, chunk_dim, hidden, num_tasks }, chunkSize) {
  const chunks = Math.ceil(num_weights / chunkSize);
  const sizes = [task_dim + chunk_dim, ...hidden, chunkSize];
  let weights = chunks * chunk_dim + num_tasks * task_dim;
  for (let i = 1; i < sizes.length; i++) weights += (sizes[i - 1] + 1) * sizes[i];
  return { chunks, weights, ratio: weights / num_weights };
}

/** Neighbouring chunks get colours that are easy to tell apart: steps of the golden angle. */
function color(chunk) {
  return `hsl(${Math.round((chunk * 137.508) % 360)} 65% ${chunk % 2 ? 62 : 42}%)`;
}

/** Draw one tensor, a pixel a weight; `first` is the place of its first weight in the flat vector. */
function draw(canvas, rows, columns, first, chunkSize) {
  const context = canvas.getContext("2d");
  for (let row = 0; row < rows; row++) {
    const start = first + row * columns;
    for (let place = start; place < start + columns; ) {
      const chunk = Math.floor(place / chunkSize);
      const end = Math.min((chunk + 1) * chunkSize, start + columns);
      context.fillStyle = color(chunk);
      context.fillRect(place - start, row, end - place, 1);
      place = end;
    }
  }
}

function element(tag, properties = {}, style = "") {
  const made = Object.assign(document.createElement(tag), properties);
  made.style.cssText = style;
  return made;
}

function render({ model, el }) {
  const get = (name) => model.get(name);
  const sizes = Object.fromEntries(
    ["num_weights", "task_dim", "chunk_dim", "hidden", "num_tasks"].map((name) => [name, get(name)]),
  );
  const toSize = (step) => Math.max(1, Math.round(sizes.num_weights ** (step / STEPS)));
  const toStep = (size) => Math.round((STEPS * Math.log(size)) / Math.log(sizes.num_weights));

  const label = element("label", { textContent: "Chunk size " }, "display:block;font-weight:600");
  const slider = element(
    "input",
    { type: "range", min: 30, max: STEPS, step: 1, value: toStep(get("chunk_size")) },
    "display:block;width:100%;max-width:34rem;accent-color:#C1272D;height:2rem",
  );
  label.append(slider);
  const said = element("output", {}, "display:block;min-height:3em;font-variant-numeric:tabular-nums");
  const row = element("div", {}, "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-end");
  let first = 0;
  const pictures = get("shapes").map(([name, shape]) => {
    const [rows, columns] = shape.length > 1 ? [shape[0], shape.slice(1).reduce((a, b) => a * b)] : [shape[0], 1];
    const canvas = element(
      "canvas",
      { width: columns, height: rows },
      `image-rendering:pixelated;display:block;width:${Math.max(8, columns * 1.3)}px;height:${rows * 1.3}px`,
    );
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name}: the chunk of each weight, by colour`);
    const caption = element("figcaption", { textContent: columns > 1 ? name : "\u00a0" }, "font-size:12px");
    const figure = element("figure", {}, "margin:0");
    figure.append(canvas, caption);
    row.append(figure);
    const picture = { canvas, rows, columns, first };
    first += rows * columns;
    return picture;
  });

  function show() {
    const chunkSize = get("chunk_size");
    const { chunks, weights, ratio } = count(sizes, chunkSize);
    const number = (n) => n.toLocaleString("en");
    said.textContent =
      `${number(chunkSize)} weights at a time, ${number(chunks)} chunk${chunks > 1 ? "s" : ""}. ` +
      `Hypernetwork ${number(weights)}, target ${number(sizes.num_weights)} weights: compression ratio ${ratio.toFixed(2)}.`;
    slider.setAttribute("aria-valuetext", `${chunkSize} weights, compression ratio ${ratio.toFixed(2)}`);
    for (const { canvas, rows, columns, first } of pictures) draw(canvas, rows, columns, first, chunkSize);
  }
  slider.addEventListener("input", () => {
    model.set("chunk_size", toSize(Number(slider.value)));
    model.save_changes();
    show(); // without a kernel nobody would tell us
  });
  model.on("change:chunk_size", () => {
    slider.value = toStep(get("chunk_size"));
    show();
  });
  el.classList.add("hnet-chunks");
  el.append(label, said, row);
  show();
}

export default { render };
