// Questions with a button each. Only native controls, so that keyboard and screen reader know them; what is right or
// wrong is said in words, and colour only repeats it.

const SIGNS = { right: "#2E7D32", wrong: "#B3261E", none: "#6B7280" };

/** Text of a question file: `code`, and *emphasis*. */
function rich(text) {
  return text.split(/(`[^`]+`|\*[^*]+\*)/).map((part) => {
    if (/^`.+`$/.test(part)) return make("code", {}, part.slice(1, -1));
    return /^\*.+\*$/.test(part) ? make("em", {}, part.slice(1, -1)) : part;
  });
}

/** A number as people write it: 2,126,100 or 2 126 100; 0.95, 0,95 or 95 %; a fraction; any minus sign. */
function toNumber(text) {
  let plain = text.replace(/[\s\u00a0\u202f%]/g, "").replace("\u2212", "-");
  plain = /^-?\d+,(\d{1,2}|\d{4,})$/.test(plain) ? plain.replace(",", ".") : plain.replace(/,/g, "");
  const [above, below = "1", ...rest] = plain.split("/");
  return plain === "" || above === "" || below === "" || rest.length ? NaN : Number(above) / Number(below);
}

function fits({ value, range }, number) {
  return range ? number >= range[0] && number < range[1] : number === value;
}

/** What is said of a number: the first answer that it fits, or the last. */
function judgeNumber(answers, number) {
  if (!Number.isFinite(number)) return { sign: "none", verdict: "Write a number first.", reasons: [] };
  const found = answers.find((answer) => answer.type !== "default" && fits(answer, number)) ?? answers.at(-1);
  return judged(Boolean(found.correct), [found]);
}

function judgeChoice(answers, chosen) {
  if (!chosen.length) return { sign: "none", verdict: "Choose an answer first.", reasons: [] };
  const missing = answers.filter((answer) => answer.correct).length - chosen.filter((answer) => answer.correct).length;
  const complete = missing === 0 && chosen.every((answer) => answer.correct);
  return judged(complete, chosen, missing && chosen.every((answer) => answer.correct) ? missing : 0);
}

function judged(right, reasons, missing = 0) {
  const more = missing ? `So far, so right: ${missing} more to find.` : "Not yet.";
  return { sign: right ? "right" : "wrong", verdict: right ? "Right." : more, reasons };
}

/** The controls of one question, and a function that reads and judges them. */
function controls(question, name) {
  const { type, answers } = question;
  if (type === "numeric") {
    const style = "font:inherit;width:11rem;max-width:100%;min-height:2.4rem;padding:.2rem .5rem;margin-left:.5rem";
    const field = make("input", { type: "text", inputmode: "text", autocomplete: "off", style });
    return { parts: [make("label", {}, "Your number", field)], judge: () => judgeNumber(answers, toNumber(field.value)) };
  }
  const kind = type === "multiple_choice" ? "radio" : "checkbox";
  const boxes = answers.map(() => make("input", { type: kind, name, style: "flex:none;width:1.1rem;height:1.1rem;margin:.25rem 0" }));
  const style = "display:flex;gap:.6rem;align-items:flex-start;padding:.35rem 0;cursor:pointer;line-height:1.5";
  const parts = boxes.map((box, i) => make("label", { style }, box, make("span", {}, ...rich(answers[i].answer))));
  return { parts, judge: () => judgeChoice(answers, answers.filter((_, i) => boxes[i].checked)) };
}

/** A verdict, and below it why; of several chosen answers, each by its name. */
function explanation({ sign, verdict, reasons }) {
  const each = reasons.map((answer) => {
    const named = reasons.length > 1 ? [make("b", {}, ...rich(answer.answer)), answer.correct ? " \u2013 true. " : " \u2013 not so. "] : [];
    return make("p", { style: "margin:.3rem 0 0" }, ...named, ...rich(answer.feedback));
  });
  const style = `border-left:4px solid ${SIGNS[sign]};padding:.1rem 0 .1rem .8rem;margin:.7rem 0 0`;
  return make("div", { style, "data-sign": sign }, make("b", {}, verdict), ...each);
}

function asked(question, number) {
  const { parts, judge } = controls(question, `quiz-${Math.random().toString(36).slice(2)}`);
  const said = make("div", { role: "status", "aria-live": "polite" });
  const several = question.type === "many_choice" ? " (Choose all that apply.)" : "";
  const legend = make(
    "legend",
    { style: "float:none;width:auto;font-size:1em;line-height:1.5;margin:0 0 .4rem;padding:0;font-weight:600" },
    `${number}. `, ...rich(question.question), several,
  );
  const fieldset = make("fieldset", { style: "border:0;padding:0;margin:0;min-width:0" }, legend, ...parts);
  const check = button("Check", () => {}, { type: "submit", "aria-label": `Check answer ${number}` });
  function onsubmit(event) {
    event.preventDefault();
    said.replaceChildren(explanation(judge()));
  }
  const style = "border-top:1px solid color-mix(in oklab,currentColor 18%,transparent);padding:1rem 0;margin:0";
  return make("form", { style, onsubmit, novalidate: "" }, fieldset, row(check), said);
}

function render({ model, el }) {
  root(el, "hnet-quiz", ...model.get("questions").map((question, i) => asked(question, i + 1)));
  el.style.whiteSpace = "normal";
  el.dataset.lmSuppressShortcuts = "true"; // in JupyterLab a single key may be a command, unless asked not to
}

export default { render };
