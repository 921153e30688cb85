//! The HTML around a widget: controls, and a few lines of script between them and the engine.

use crate::Widget;
use crate::control::Control;
use figures::escape;

/// Where a page's numbers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// From the server that sent the page, which has the engine in it.
    Server,
    /// From WebAssembly inside the page: gzipped, in base64.
    Inside(String),
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --accent: #0072b2; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
form { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .5rem 1.5rem; margin: 1rem 0; }
.control { display: grid; grid-template-columns: 1fr auto auto; gap: 0 .6rem; align-items: end; } .control input, .control select { grid-column: 1 / -1; width: 100%; box-sizing: border-box; font: inherit; }
output { font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .1rem .8rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; } .figures svg { flex: 0 1 auto; max-width: 100%; height: auto; } [data-drag] svg { touch-action: none; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; } th, td { text-align: left; padding: .1rem .9rem .1rem 0; border-bottom: 1px solid var(--line); }
.list { font-family: ui-monospace, monospace; font-size: .85rem; display: block; overflow-x: auto; } tr.now { outline: 2px solid var(--accent); }
.error { color: #d55e00; }
#status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media print { form, button { display: none; } }
";

/// Between controls and engine: every change asks for the part below, the newest question alone is answered.
const SCRIPT: &str = r#"
const form = document.querySelector('form'), view = document.getElementById('view'), time = form.querySelector('input[data-stride]');
// The newest question; what moves time; how far in time the engine has come with these settings.
let asked = 0, playing = null, reached = 0;
// An address may say how a page begins: truncation?T=30&K=5.
const given = new URLSearchParams(location.search);
for (const [key, value] of given) if (form.elements.namedItem(key) instanceof HTMLElement) form.elements.namedItem(key).value = value;
const say = input => { form.querySelector(`output[for=${input.id}]`).value = input.value; };
const pause = () => new Promise(resolve => setTimeout(resolve));
async function update() {
  form.querySelectorAll('input[type=range]').forEach(say);
  const mine = ++asked, settings = new URLSearchParams(new FormData(form)), first = view.dataset.done === '0';
  // Time that stands at its end stays there, wherever the other settings put the end.
  const ended = time && +time.value >= +time.max, to = time ? +(ended ? time.dataset.end : time.value) : 0;
  let answer, painted = performance.now();
  try {
    for (;;) {
      // A far moment is reached in strides, some of which are shown.
      const at = time ? Math.min(to, reached + +time.dataset.stride) : to;
      if (time) settings.set(time.name, at);
      answer = await render(settings.toString());
      if (mine !== asked) return;
      reached = Math.max(reached, at);
      if (at >= to) break;
      if (!first && performance.now() - painted > 100) { view.innerHTML = answer; painted = performance.now(); }
      await pause();
      if (mine !== asked) return;
    }
  } catch (error) {
    if (mine !== asked) return;
    stop();
    answer = '<p class="error" role="alert"></p>';
    view.innerHTML = answer;
    view.firstChild.textContent = `The engine does not answer (${error.message}). Load the page again.`;
    return;
  }
  view.innerHTML = answer;
  // How far time goes depends on the other settings.
  for (const most of view.querySelectorAll('[data-most]')) {
    time.max = most.value;
    if (ended) time.value = most.value;
    say(time);
  }
  view.dataset.done = String(mine);
  const words = view.querySelector('.words');
  if (!playing && words) document.getElementById('status').textContent = words.textContent;
}
const button = form.querySelector('button[data-play]');
const stop = () => {
  if (playing === null) return;
  clearInterval(playing); playing = null;
  button.textContent = 'play';
};
form.addEventListener('input', e => { if (e.target !== time) reached = 0; update(); });
form.addEventListener('submit', e => e.preventDefault());
button?.addEventListener('click', () => {
  if (playing !== null) return stop();
  if (+time.value >= +time.max) time.value = 0;
  button.textContent = 'stop';
  playing = setInterval(() => {
    if (view.dataset.done !== String(asked)) return;
    time.value = +time.value + 1;
    if (+time.value >= +time.max) stop();
    update();
  }, 60);
  update();
});
view.addEventListener('pointerdown', down);
view.addEventListener('pointermove', e => { if (e.buttons) down(e); });
function down(e) {
  const box = e.target.closest('[data-drag]'), svg = e.target.closest('svg');
  if (!box || !svg) return;
  const [a, b, low, high, x0, y0, x1, y1] = box.dataset.drag.split(' ');
  const place = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / place.width;
  const part = (p, from, to) => Math.min(1, Math.max(0, (p * scale - from) / (to - from)));
  const value = t => +low + t * (high - low);
  form.elements[a].value = value(part(e.clientX - place.left, +x0, +x1));
  form.elements[b].value = value(part(e.clientY - place.top, +y0, +y1));
  if (time) time.value = 0;
  reached = 0; e.preventDefault(); update();
}
update();
"#;

const SERVER: &str = r"
async function render(q) {
  const answer = await fetch('render/' + name + '?' + q);
  return answer.text();
}
";

const INSIDE: &str = r"
const bytes = Uint8Array.from(atob(document.getElementById('engine').textContent.trim()), c => c.charCodeAt(0));
const plain = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
const ready = plain.then(code => WebAssembly.instantiate(code, {})).then(w => w.instance.exports);
async function render(q) {
  const e = await ready, text = new TextEncoder().encode(name + '?' + q), at = e.reserve(text.length);
  new Uint8Array(e.memory.buffer, at, text.length).set(text);
  const answer = e.render(), length = new DataView(e.memory.buffer).getUint32(answer, true);
  return new TextDecoder().decode(new Uint8Array(e.memory.buffer, answer + 4, length));
}
";

/// The whole page of a widget. Before anything runs, and on paper, it shows what the default settings give.
pub fn page(widget: &Widget, engine: &Engine) -> String {
    let first = widget.render("").unwrap_or_else(|message| escape(&message));
    let controls: String = widget.controls.iter().map(control).collect();
    let (title, about, name) = (escape(widget.title), escape(widget.about), widget.name);
    let (script, code) = match engine {
        Engine::Server => (SERVER, String::new()),
        Engine::Inside(base64) => (INSIDE, format!("<script type=\"text/plain\" id=\"engine\">{base64}</script>\n")),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{about}</p>\n<form autocomplete=\"off\">\n{controls}</form>\n\
         <p id=\"status\" role=\"status\"></p>\n<div id=\"view\" data-done=\"0\">{first}</div>\n{code}<script type=\"module\">const name = '{name}';{script}{SCRIPT}</script>\n\
         </body></html>\n"
    )
}

fn control(control: &Control) -> String {
    let name = control.name();
    let one = |label: &str, between: &str, input: &str| {
        format!("<div class=\"control\"><label for=\"c-{name}\">{}</label>{between}{input}</div>\n", escape(label))
    };
    let value = |default: f64| format!("<output for=\"c-{name}\">{default}</output>");
    match control {
        Control::Range { label, least, most, step, default, .. } => one(
            label,
            &value(*default),
            &format!(
                "<input type=\"range\" id=\"c-{name}\" name=\"{name}\" min=\"{least}\" max=\"{most}\" step=\"{step}\" \
                 value=\"{default}\">"
            ),
        ),
        Control::Time { label, most, default, stride, .. } => one(
            label,
            &format!("<button type=\"button\" data-play=\"{name}\">play</button>{}", value(*default)),
            &format!(
                "<input type=\"range\" id=\"c-{name}\" name=\"{name}\" data-stride=\"{stride}\" data-end=\"{most}\" min=\"0\" max=\"{most}\" step=\"1\" \
                 value=\"{default}\">"
            ),
        ),
        Control::Choice { label, options, .. } => {
            let options: String = options.iter().map(|o| format!("<option>{}</option>", escape(o))).collect();
            one(label, "", &format!("<select id=\"c-{name}\" name=\"{name}\">{options}</select>"))
        }
        Control::Text { label, default, .. } => one(
            label,
            "",
            &format!("<input id=\"c-{name}\" name=\"{name}\" value=\"{}\" spellcheck=\"false\">", escape(default)),
        ),
    }
}
