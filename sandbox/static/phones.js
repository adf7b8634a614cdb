// The phones of the page: which ones are shown, what they say, and what is done with them.

import { chatItems, make } from "./bubbles.js";

const MOST = 12;
const NOTICE_MS = 4000;
const phones = new Map();
const template = document.querySelector("#phone");
const search = document.querySelector("#search");
const nobody = document.querySelector("#nobody");
const live = document.querySelector("#live");
const viewer = document.querySelector("#viewer");

async function ask(path, body) {
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  const answer = await fetch(path, options);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.detail ?? answer.statusText);
  return value;
}

class Phone {
  constructor({ channel, account, address }) {
    Object.assign(this, { channel, account, address });
    this.about = { channel, account, address };
    this.element = template.content.firstElementChild.cloneNode(true);
    this.find = (selector) => this.element.querySelector(selector);
    this.chat = this.find(".chat");
    this.atEnd = true;
    // Pictures grow when they arrive: who reads the newest message goes on reading it.
    this.chat.addEventListener("load", () => this.stay(), true);
    this.chat.addEventListener("scroll", () => { this.atEnd = this.isAtEnd(); }, { passive: true });
    this.find(".write").addEventListener("submit", (event) => {
      event.preventDefault();
      const input = event.target.elements.text;
      if (input.value.trim()) this.does("say", { text: input.value });
      input.value = "";
    });
    this.find(".block").addEventListener("click", () => this.does("block", { unblock: this.blocked }));
  }

  async does(what, more) {
    try {
      const answer = await ask(`/control/${what}`, { ...this.about, ...more });
      await this.refresh();
      return answer;
    } catch (error) {
      this.tell(error.message);
    }
  }

  async tap(button, message) {
    const answer = await this.does("tap", { button: button.data ?? button.url ?? button.text, message_id: message.id });
    if (answer?.opened && /^https?:/.test(answer.opened)) window.open(answer.opened, "_blank", "noopener");
  }

  tell(words) {
    const notice = this.find(".notice");
    notice.textContent = words;
    notice.hidden = false;
    clearTimeout(this.forgetting);
    this.forgetting = setTimeout(() => { notice.hidden = true; }, NOTICE_MS);
  }

  async refresh() {
    const query = new URLSearchParams(this.about);
    const seen = await ask(`/control/phone?${query}`);
    const [chat] = seen.chats;
    this.blocked = chat.blocked;
    this.find(".title").textContent = chat.title;
    this.find(".avatar").textContent = chat.title.at(0);
    this.find(".owner").textContent = seen.name;
    this.find(".address").textContent = seen.name === this.address ? "" : this.address;
    this.find(".state").textContent = state(seen, chat);
    this.find(".block").textContent = this.blocked ? "Unblock" : "Block";
    this.element.toggleAttribute("data-blocked", this.blocked || seen.deactivated);
    if (chat.notice && chat.notice !== this.noticed) this.tell(chat.notice);
    this.noticed = chat.notice;
    this.show(seen.messages);
  }

  /** Keep what is already there, so that nothing flickers and a slideshow stays where it is. */
  show(messages) {
    const actions = { tap: (button, message) => this.tap(button, message), open };
    const before = new Map([...this.chat.children].map((item) => [item.key, item]));
    const first = before.size === 0;
    const items = chatItems(messages, actions).map((item) => before.get(item.key) ?? item);
    items.forEach((item) => item.classList.toggle("new", !first && !before.has(item.key)));
    this.chat.replaceChildren(...items);
    this.stay();
  }

  isAtEnd() {
    return this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 80;
  }

  stay() {
    if (this.atEnd) this.chat.scrollTop = this.chat.scrollHeight;
  }
}

function state(seen, chat) {
  if (seen.deactivated) return "left the platform";
  if (chat.blocked) return "blocked";
  if (!chat.opened) return "never written to";
  return chat.received === 1 ? "1 message received" : `${chat.received.toLocaleString()} messages received`;
}

function open(media, index) {
  const figure = viewer.querySelector("figure");
  const show = () => {
    const file = media[index];
    const moving = file.mime.startsWith("video/");
    figure.replaceChildren(moving
      ? make("video", { src: file.url, controls: true, autoplay: true, loop: true })
      : make("img", { src: file.url, alt: "Picture" }));
  };
  figure.onclick = () => {
    index += 1;
    if (index < media.length) show();
    else viewer.close();
  };
  show();
  viewer.showModal();
}
viewer.querySelector("button").addEventListener("click", () => viewer.close());

const keyOf = (phone) => [phone.channel, phone.account, phone.address].join("|");

async function choose() {
  const query = new URLSearchParams({ search: search.value.trim(), limit: MOST });
  const { items } = await ask(`/control/phones?${query}`);
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  const keepsPlaces = !search.value.trim();
  for (const [key, phone] of phones) {
    if (!wanted.has(key) && (!keepsPlaces || wanted.size >= MOST)) {
      phone.element.remove();
      phones.delete(key);
    }
  }
  const fresh = [...wanted].filter(([key]) => !phones.has(key));
  for (const [key, item] of fresh) {
    const phone = new Phone(item);
    phones.set(key, phone);
    document.querySelector(`[data-channel="${item.channel}"] .row`)?.append(phone.element);
  }
  await Promise.all(fresh.map(([, item]) => phones.get(keyOf(item)).refresh()));
  for (const section of document.querySelectorAll(".channel")) {
    const count = section.querySelectorAll(".phone").length;
    section.hidden = count === 0;
    section.querySelector("small").textContent = count === 1 ? "1 phone" : `${count} phones`;
  }
  nobody.hidden = phones.size > 0;
}

let asked;
function chooseSoon(after) {
  clearTimeout(asked);
  asked = setTimeout(choose, after);
}

function listen() {
  const events = new EventSource("/events");
  const is = (name, words) => { live.dataset.state = name; live.querySelector("span").textContent = words; };
  events.onopen = () => { is("live", "live"); chooseSoon(0); };
  events.onerror = () => is("lost", "the sandbox is away");
  events.onmessage = ({ data }) => {
    const changed = new Set(JSON.parse(data));
    const shown = [...phones.values()].filter((phone) => changed.has(phone.address));
    shown.forEach((phone) => phone.refresh().catch(() => chooseSoon(300)));
    if (phones.size < MOST && changed.size > shown.length) chooseSoon(300);
  };
}

search.addEventListener("input", () => chooseSoon(200));
choose().then(listen);
