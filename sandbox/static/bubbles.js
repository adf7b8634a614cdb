// What a phone shows, as elements: bubbles, albums, slideshows, buttons.

const LINKS = new Set(["url", "text_link", "email"]);
const SHOWN = new Set(["photo", "video", "animation"]);

export function make(tag, options = {}, ...children) {
  const { data = {}, ...properties } = options;
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The chat's items: messages of one album together, a day's name where a day begins. */
export function chatItems(messages, actions) {
  const items = [];
  let day = "";
  for (const group of albums(messages)) {
    const first = group[0];
    const today = new Date(first.at * 1000).toLocaleDateString(undefined, { day: "numeric", month: "long" });
    if (today !== day) {
      items.push(Object.assign(make("li", { className: "day" }, today), { key: `day ${today}` }));
      day = today;
    }
    const item = make("li", { className: `${first.by}-says` }, bubble(group, actions), keyboard(group.at(-1), actions));
    item.key = group.map((m) => m.id).join() + JSON.stringify(group.map((m) => [m.text, m.buttons, m.edited, m.media]));
    items.push(item);
  }
  return items;
}

function albums(messages) {
  const groups = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (message.album && last?.[0].album === message.album) last.push(message);
    else groups.push([message]);
  }
  return groups;
}

function bubble(group, actions) {
  const message = group.find((m) => m.text) ?? group[0];
  const media = group.flatMap((m) => m.media);
  const pictures = media.filter((file) => SHOWN.has(file.kind));
  const files = media.filter((file) => !SHOWN.has(file.kind));
  const element = make("div", { className: "bubble" });
  if (message.blocks) {
    element.classList.add("with-media");
    element.append(...message.blocks.map((block) => blockElement(block, actions)));
    element.append(make("p", { className: "words" }, when(message)));
    return element;
  }
  if (pictures.length) {
    element.classList.add("with-media");
    element.append(pictures.length > 1 ? album(pictures, actions) : picture(pictures[0], pictures, actions));
  }
  files.forEach((file) => element.append(fileRow(file)));
  if (message.text) {
    element.append(make("p", { className: "words" }, ...words(message.text, message.entities), when(message)));
  } else {
    element.classList.add("over");
    element.append(when(message));
  }
  return element;
}

function when(message) {
  const time = new Date(message.at * 1000);
  const text = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return make("time", { className: "when", dateTime: time.toISOString() }, message.edited ? `edited ${text}` : text);
}

function album(pictures, actions) {
  const names = { 2: "two", 3: "three" };
  const name = names[pictures.length] ?? (pictures.length % 2 ? "odd" : "even");
  return make("div", { className: `album ${name}` }, ...pictures.map((file) => picture(file, pictures, actions)));
}

function picture(file, all, actions) {
  const label = { photo: "Picture", video: "Video", animation: "Animation" }[file.kind];
  const moving = file.mime.startsWith("video/");
  const inner = moving
    ? make("video", { src: file.url, muted: true, loop: true, playsInline: true, preload: "metadata", autoplay: file.kind === "animation" })
    : make("img", { src: file.url, alt: label, width: file.width || 300, height: file.height || 300, loading: "lazy", decoding: "async" });
  const className = file.spoiler ? "picture veiled" : "picture";
  const button = make("button", { type: "button", className, ariaLabel: `Open ${label.toLowerCase()}` }, inner);
  button.addEventListener("click", () => actions.open(all, all.indexOf(file)));
  return button;
}

function fileRow(file) {
  const size = file.bytes > 1e6 ? `${(file.bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(file.bytes / 1e3)} kB`;
  return make("a", { className: "file", href: file.url, download: file.name },
    make("i", {}, "↓"), make("span", {}, file.name, make("small", {}, size)));
}

function blockElement(block, actions) {
  if (block.type === "slideshow") return slideshow(block, actions);
  if (block.type === "collage") return album(block.blocks.map((b) => b.media), actions);
  if (block.type === "divider") return make("hr", { className: "rule" });
  if (block.type === "heading") return make("h3", { className: "heading" }, block.text ?? "");
  if (block.type === "buttons") return keyboard({ buttons: [block.buttons] }, actions);
  if (block.media) {
    const shown = SHOWN.has(block.media.kind) ? picture(block.media, [block.media], actions) : fileRow(block.media);
    return make("div", {}, shown, block.caption ? make("p", { className: "words" }, block.caption) : null);
  }
  const inner = (block.blocks ?? []).map((part) => blockElement(part, actions));
  return make("div", {}, block.text ? make("p", { className: "words" }, block.text) : null, ...inner);
}

function slideshow(block, actions) {
  const media = block.blocks.map((part) => part.media);
  const slides = make("div", { className: "slides", tabIndex: 0 });
  block.blocks.forEach((part) => {
    const caption = part.caption ? make("figcaption", {}, part.caption) : null;
    slides.append(make("figure", {}, picture(part.media, media, actions), caption));
  });
  const dots = make("div", { className: "dots", ariaHidden: "true" }, ...media.map(() => make("i")));
  const here = () => Math.round(slides.scrollLeft / Math.max(1, slides.clientWidth));
  const mark = () => [...dots.children].forEach((dot, index) => dot.classList.toggle("here", index === here()));
  const turn = (by, name, sign) => {
    const button = make("button", { type: "button", className: `turn ${name}`, ariaLabel: by > 0 ? "Next slide" : "Previous slide" }, sign);
    button.addEventListener("click", () => slides.scrollTo({ left: (here() + by) * slides.clientWidth, behavior: "smooth" }));
    return button;
  };
  slides.addEventListener("scroll", mark, { passive: true });
  mark();
  const caption = block.caption ? make("p", { className: "words" }, block.caption) : null;
  return make("div", {}, make("div", { className: "slideshow" }, slides, dots, turn(-1, "back", "‹"), turn(1, "on", "›")), caption);
}

function keyboard(message, actions) {
  if (!message.buttons?.length) return null;
  const rows = message.buttons.map((row) => make("div", {}, ...row.map((button) => {
    const data = button.url ? { url: button.url } : {};
    const element = make("button", { type: "button", data }, button.text);
    element.addEventListener("click", () => actions.tap(button, message));
    return element;
  })));
  return make("div", { className: "buttons" }, ...rows);
}

/** A text with its entities: offsets are UTF-16 units, as JavaScript's own. */
function words(text, entities) {
  const edges = new Set([0, text.length]);
  entities.forEach((e) => { edges.add(e.offset); edges.add(e.offset + e.length); });
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((start, index) => {
    const end = sorted[index + 1];
    const around = entities.filter((e) => e.offset <= start && end <= e.offset + e.length);
    const piece = text.slice(start, end);
    if (!around.length) return piece;
    const link = around.find((e) => LINKS.has(e.type));
    const className = around.map((e) => e.type.replace("expandable_", "")).join(" ");
    if (!link) return make("span", { className }, piece);
    const whole = text.slice(link.offset, link.offset + link.length);
    const href = link.url ?? (link.type === "email" ? `mailto:${whole}` : /^https?:/.test(whole) ? whole : `https://${whole}`);
    if (!/^(https?|mailto):/.test(href)) return make("span", { className }, piece);
    return make("a", { className, href, target: "_blank", rel: "noopener noreferrer" }, piece);
  });
}
