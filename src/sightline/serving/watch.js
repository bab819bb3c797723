// Keeps the page of a run up to date. The page comes again as a whole; only its parts that differ are put in place of
// those shown, so that scroll position, focus, what is opened and what is ticked stay as the reader has them.
"use strict";

const RETRY = 2000; // milliseconds
const line = document.getElementById("live");
const received = new WeakMap(); // a part's text as it came: the reader's own changes to it do not make it another one
let shown = ""; // the tag of the page shown
let newest = { tag: "", says: "" };
let fetching = false;

function say(text) {
  // A screen reader reads out whatever is put here, so that nothing is put here twice.
  if (line.textContent !== text) line.textContent = text;
}

/** The children of `parent` by what they are called. */
function parts(parent) {
  const found = new Map();
  for (const part of parent?.children ?? []) {
    let key = `${part.localName} ${part.id || part.getAttribute("aria-label") || ""}`;
    while (found.has(key)) key += "+";
    found.set(key, part);
  }
  return found;
}

/** Pairs of the elements that `selector` finds in an old part and in the new one, by id, by words, or by order. */
function pairs(before, after, selector) {
  const name = (each) => each.id || (each.querySelector("summary") ?? each).textContent.replace(/[\d.,\s]+/g, " ");
  const old = [...before.querySelectorAll(selector)];
  return [...after.querySelectorAll(selector)].flatMap((each, index) => {
    const same = old.find((other) => name(other) === name(each)) ?? old[index];
    return same === undefined ? [] : [[same, each]];
  });
}

/** Puts `after` in the place of `before`, as the reader has it. */
function replace(before, after) {
  for (const [old, fresh] of pairs(before, after, "details")) fresh.open = old.open;
  for (const [old, fresh] of pairs(before, after, "input")) fresh.checked = old.checked;
  const scrolled = pairs(before, after, ".wide, pre").map(([old, fresh]) => [fresh, old.scrollLeft, old.scrollTop]);
  const focused = before.contains(document.activeElement) ? document.activeElement : null;
  const heir = focused && pairs(before, after, focused.localName).find(([old]) => old === focused)?.[1];
  const visible = focused?.matches(":focus-visible") ?? false;
  // Both are there for a moment: with the old one gone first, the focus would be gone, too.
  before.after(after);
  for (const [element, left, top] of scrolled) element.scrollTo(left, top);
  heir?.focus({ preventScroll: true, focusVisible: visible });
  before.remove();
}

function update(parent, fresh) {
  const old = parts(parent);
  const now = parts(fresh);
  for (const [key, part] of old) if (!now.has(key)) part.remove();
  let place = parent.firstElementChild;
  for (const [key, part] of now) {
    const text = part.outerHTML;
    const before = old.get(key);
    let kept = before;
    if (before === undefined) {
      parent.insertBefore(part, place);
      kept = part;
    } else {
      if (before !== place) parent.insertBefore(before, place);
      if (received.get(before) !== text) {
        replace(before, part);
        kept = part;
      }
    }
    received.set(kept, text);
    place = kept.nextElementSibling;
  }
}

/** Runs `change` and leaves what the reader looks at where it is on the screen. */
function inPlace(change) {
  const top = line.getBoundingClientRect().bottom;
  const main = document.querySelector("main");
  const seen = [...parts(main)].find(([, part]) => part.getBoundingClientRect().bottom > top);
  const reading = window.scrollY > 0 && seen !== undefined;
  const before = reading ? seen[1].getBoundingClientRect().top : 0;
  change(main);
  const after = reading ? parts(main).get(seen[0]) : undefined;
  if (after !== undefined) window.scrollBy({ top: after.getBoundingClientRect().top - before, behavior: "instant" });
}

async function show(page) {
  const body = document.adoptNode(page.body);
  // A picture has no height before it is decoded, and would push down what is read when it comes to one.
  await Promise.allSettled([...body.querySelectorAll("img")].map((image) => image.decode()));
  document.title = page.title;
  const style = document.querySelector("style");
  const styled = page.querySelector("style");
  if (style.textContent !== styled.textContent) style.replaceWith(styled);
  inPlace((main) => {
    const header = document.querySelector("header");
    const renewed = body.querySelector("header");
    const text = renewed.outerHTML;
    if (received.get(header) !== text) {
      replace(header, renewed);
      received.set(renewed, text);
    }
    update(main, body.querySelector("main"));
  });
}

async function refresh() {
  if (fetching) return;
  fetching = true;
  try {
    while (shown !== newest.tag) {
      const { tag } = newest;
      const answer = await fetch("/");
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      await show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      shown = tag;
    }
    say(newest.says);
  } catch {
    // The stream is cut off together with the server, and whoever opens it again hears of the page again.
  } finally {
    fetching = false;
  }
}

function listen() {
  const source = new EventSource("/events");
  source.addEventListener("message", (event) => {
    newest = JSON.parse(event.data);
    refresh();
  });
  source.addEventListener("end", (event) => {
    source.close();
    say(`${JSON.parse(event.data).says}; sightline watch has ended, and this page stays as it is`);
  });
  source.addEventListener("error", () => {
    say("sightline watch does not answer; trying again");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY);
  });
}

document.documentElement.style.overflowAnchor = "none"; // `inPlace` does it, and twice would be too much
for (const part of document.querySelectorAll("header, main > *")) received.set(part, part.outerHTML);
listen();
