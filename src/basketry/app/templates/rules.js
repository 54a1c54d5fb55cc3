(() => {
  "use strict";
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const plots = one("#rules .plots");
  if (!plots) return;
  const MOST = 6;
  const told = one("#told");
  const lines = all("[data-rules]", plots);
  const rules = new Map(lines.map((element) => [element, element.dataset.rules.split(" ").map(Number)]));
  let pinned = null;

  function tell(mark, numbers) {
    one("h3", told).textContent = mark.getAttribute("aria-label");
    one("ul", told).replaceChildren(...numbers.slice(0, MOST).map((number) => {
      const item = document.createElement("li");
      const row = one(`#rule-${number}`);
      item.className = one("i", row).className;
      item.append(...all(".reason", row).map((reason) => reason.cloneNode(true)));
      return item;
    }));
    const rest = one(".rest", told);
    rest.hidden = numbers.length <= MOST;
    one(".en", rest).textContent = rest.dataset.en.replace("{n}", numbers.length - MOST);
    one(".zh", rest).textContent = rest.dataset.zh.replace("{n}", numbers.length - MOST);
    one(".chosen", told).hidden = false;
    one(".hint", told).hidden = true;
  }

  function show(mark) {
    const numbers = rules.get(mark);
    plots.classList.add("dim");
    for (const element of lines) element.classList.toggle("lit", rules.get(element).some((number) => numbers.includes(number)));
    tell(mark, numbers);
  }

  function rest() {
    if (pinned) return show(pinned);
    plots.classList.remove("dim");
    for (const element of lines) element.classList.remove("lit");
    one(".chosen", told).hidden = true;
    one(".hint", told).hidden = false;
  }

  function pin(mark) {
    pinned = mark;
    rest();
  }

  const middle = (element) => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };

  function walk(marks, from, key) {
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
    if (!step) return false;
    const start = middle(from);
    let best = null;
    let nearest = Infinity;
    for (const mark of marks) {
      const [x, y] = middle(mark).map((value, axis) => value - start[axis]);
      const ahead = x * step[0] + y * step[1];
      const aside = Math.abs(x * step[1] + y * step[0]);
      if (ahead > 0.5 && ahead + 2 * aside < nearest) [best, nearest] = [mark, ahead + 2 * aside];
    }
    if (best) {
      from.tabIndex = -1;
      best.tabIndex = 0;
      best.focus({ preventScroll: true });
    }
    return true;
  }

  for (const plot of all("svg.plot", plots)) {
    const marks = all(".mark", plot);
    for (const mark of marks) {
      mark.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(mark));
      mark.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && rest());
      mark.addEventListener("focus", () => mark.matches(":focus-visible") && show(mark));
      mark.addEventListener("click", (event) => {
        event.stopPropagation();
        pin(mark);
      });
      mark.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") pin(mark);
        else if (!walk(marks, mark, event.key)) return;
        event.preventDefault();
      });
    }
    plot.addEventListener("click", () => pin(null));
  }
  one(".back", told).addEventListener("click", () => pin(null));
  document.addEventListener("keydown", (event) => event.key === "Escape" && pin(null));
})();
