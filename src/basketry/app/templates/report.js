(() => {
  "use strict";
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  function bilingual(element, english, chinese) {
    const spans = [["en", "en", english], ["zh", "zh-Hans", chinese]].map(([name, language, text]) => {
      const span = document.createElement("span");
      span.className = name;
      span.lang = language;
      span.textContent = text;
      return span;
    });
    element.replaceChildren(...spans);
  }

  const reasons = one("#reasons");
  const hubs = one("#hubs");

  function tell(title, customers, edges, picture) {
    one("h3", reasons).textContent = title;
    const facts = one(".facts", reasons);
    facts.hidden = customers === null;
    const told = customers === null ? "" : customers.toLocaleString("en");
    bilingual(facts, facts.dataset.en.replace("{n}", told), facts.dataset.zh.replace("{n}", told));
    one("ul", reasons).replaceChildren(...edges.map((number) => {
      const edge = picture.told.edges[number];
      const item = document.createElement("li");
      item.className = edge.verdict;
      bilingual(item, edge.en, edge.zh);
      item.addEventListener("pointerenter", () => picture.edges[number].classList.add("chosen"));
      item.addEventListener("pointerleave", () => picture.edges[number].classList.remove("chosen"));
      return item;
    }));
    reasons.hidden = false;
    hubs.hidden = true;
  }

  function Picture(svg) {
    const picture = {
      svg,
      told: JSON.parse(svg.nextElementSibling.textContent),
      nodes: all(".node", svg),
      edges: all(".edge", svg),
      pinned: null,
    };
    const around = picture.nodes.map(() => []);
    picture.told.edges.forEach((edge, number) => {
      around[edge.a].push(number);
      around[edge.b].push(number);
    });

    function light(nodes, edges) {
      svg.classList.toggle("dim", nodes.size > 0);
      picture.nodes.forEach((node, number) => node.classList.toggle("lit", nodes.has(number)));
      picture.edges.forEach((edge, number) => edge.classList.toggle("lit", edges.has(number)));
    }
    picture.mark = (numbers) => {
      picture.nodes.forEach((node, number) => node.classList.toggle("found", numbers.includes(number)));
      light(new Set(numbers), new Set());
    };
    picture.node = (number) => {
      const edges = around[number];
      const ends = edges.flatMap((edge) => [picture.told.edges[edge].a, picture.told.edges[edge].b]);
      light(new Set([number, ...ends]), new Set(edges));
      tell(picture.told.nodes[number].name, picture.told.nodes[number].customers, edges, picture);
    };
    picture.edge = (number) => {
      const { a, b } = picture.told.edges[number];
      light(new Set([a, b]), new Set([number]));
      tell(`${picture.told.nodes[a].name} – ${picture.told.nodes[b].name}`, null, [number], picture);
    };
    picture.pin = (show) => {
      picture.pinned = show;
      picture.rest();
    };
    picture.rest = () => {
      if (picture.pinned) {
        picture.pinned();
      } else {
        light(new Set(), new Set());
        reasons.hidden = true;
        hubs.hidden = false;
      }
    };

    function respond(element, show) {
      element.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show());
      element.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && picture.rest());
      element.addEventListener("click", (event) => {
        event.stopPropagation();
        picture.pin(show);
      });
    }
    picture.edges.forEach((edge, number) => respond(edge, () => picture.edge(number)));
    picture.nodes.forEach((node, number) => {
      const show = () => picture.node(number);
      respond(node, show);
      node.addEventListener("focus", () => node.matches(":focus-visible") && show());
      node.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") picture.pin(show);
        else if (!walk(number, event.key)) return;
        event.preventDefault();
      });
    });
    svg.addEventListener("click", () => picture.pin(null));

    const places = picture.nodes.map((node) => node.transform.baseVal.consolidate().matrix);
    function walk(from, key) {
      const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
      if (!step) return false;
      let best = null;
      let nearest = Infinity;
      places.forEach((place, number) => {
        const [x, y] = [place.e - places[from].e, place.f - places[from].f];
        const ahead = x * step[0] + y * step[1];
        const aside = Math.abs(x * step[1] + y * step[0]);
        if (ahead > 0 && ahead + 2 * aside < nearest) [best, nearest] = [number, ahead + 2 * aside];
      });
      if (best === null) return true;
      picture.nodes[from].tabIndex = -1;
      picture.nodes[best].tabIndex = 0;
      picture.nodes[best].focus();
      return true;
    }
    return picture;
  }

  const pictures = all("svg.graph").map(Picture);
  const visible = () => pictures.find((picture) => picture.svg.getBoundingClientRect().width > 0) || pictures[0];
  const let_go = () => pictures.forEach((picture) => picture.pin(null));
  for (const button of all("[data-node]")) {
    button.addEventListener("click", () => {
      const picture = visible();
      picture.pin(() => picture.node(Number(button.dataset.node)));
      if (reasons.contains(one("#close"))) one("#close").focus({ preventScroll: true });
    });
  }
  one("#close")?.addEventListener("click", let_go);
  document.addEventListener("keydown", (event) => event.key === "Escape" && pictures.length && let_go());

  const rows = all("#associations tbody tr");
  const search = one("#search");
  let verdict = "";

  function filter() {
    const wanted = search ? search.value.trim().toLowerCase() : "";
    let listed = 0;
    for (const row of rows) {
      const pair = one(".pair", row).textContent.toLowerCase();
      row.hidden = !((verdict === "" || row.dataset.verdict === verdict) && pair.includes(wanted));
      listed += row.hidden ? 0 : 1;
    }
    if (rows.length) one("#none").hidden = listed > 0;
    return listed;
  }
  for (const button of all(".filters button")) {
    button.addEventListener("click", () => {
      verdict = button.dataset.verdict;
      for (const other of all(".filters button")) other.setAttribute("aria-pressed", String(other === button));
      filter();
    });
  }
  search?.addEventListener("input", () => {
    const listed = filter();
    const wanted = search.value.trim().toLowerCase();
    let_go();
    for (const picture of pictures) {
      const matching = (node) => wanted !== "" && (node.name.toLowerCase().includes(wanted) || node.id.toLowerCase() === wanted);
      picture.found = picture.told.nodes.flatMap((node, number) => (matching(node) ? [number] : []));
      picture.mark(picture.found);
    }
    for (const words of all("#found span")) {
      const counted = words.dataset.words.replace("{drawn}", visible().found.length).replace("{listed}", listed);
      words.textContent = wanted === "" ? "" : counted;
    }
  });
  search?.addEventListener("keydown", (event) => {
    const picture = visible();
    if (event.key === "Enter" && picture.found?.length) picture.pin(() => picture.node(picture.found[0]));
  });
})();
