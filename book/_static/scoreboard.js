// Filters for a table whose rows carry data-*: a list for each, a field for text. Without JavaScript it is the whole table.
(() => {
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // A list of what the rows have in `data-${key}`, in their order, behind an entry for all.
  const list = (rows, key, title) => {
    const values = [...new Set(rows.map((row) => row.dataset[key]))];
    const options = values.map((value) => element("option", { value }, value));
    const select = element("select", { name: key }, element("option", { value: "" }, "all"), ...options);
    return element("label", {}, title, select);
  };

  const attach = (table) => {
    const rows = [...table.tBodies[0].rows];
    const text = element("input", { type: "search", name: "text", placeholder: "for example cl3", autocomplete: "off" });
    const lists = table.dataset.filters.split("|").map((pair) => list(rows, ...pair.split(":")));
    const said = element("output", { "aria-live": "polite" });
    const reset = element("button", { type: "reset" }, "Show all");
    const label = element("label", {}, "Name of the row", text);
    const form = element("form", { class: "sb-filters", "aria-label": "Filter the table" }, ...lists, label, said, reset);

    const show = () => {
      const wanted = [...new FormData(form)].filter(([key, value]) => key !== "text" && value);
      const words = text.value.toLowerCase().split(/\s+/);
      for (const row of rows) {
        const fits = wanted.every(([key, value]) => row.dataset[key] === value);
        row.hidden = !fits || !words.every((word) => row.cells[0].textContent.toLowerCase().includes(word));
      }
      const left = rows.filter((row) => !row.hidden).length;
      said.value = `${left} of ${rows.length} rows`;
      reset.disabled = left === rows.length;
    };

    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(show)); // the fields are empty only after this event
    table.before(form);
    show();
  };

  document.querySelectorAll("table[data-filters]").forEach(attach);
})();
