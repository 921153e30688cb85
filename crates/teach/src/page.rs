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
label { display: grid; grid-template-columns: 1fr auto; } label input, label select { grid-column: 1 / -1; width: 100%; box-sizing: border-box; font: inherit; }
output { font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .1rem .8rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; } .figures svg { flex: 1 1 22rem; max-width: 40rem; width: 100%; height: auto; touch-action: none; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; } th, td { text-align: left; padding: .1rem .9rem .1rem 0; border-bottom: 1px solid var(--line); }
.list { font-family: ui-monospace, monospace; font-size: .85rem; display: block; overflow-x: auto; } tr.now { outline: 2px solid var(--accent); }
.error { color: #d55e00; }
@media print { form, button { display: none; } }
";

/// Between controls and engine: every change asks for the part below, the newest question alone is answered.
const SCRIPT: &str = r#"
const form = document.querySelector('form'), view = document.getElementById('view');
const query = () => new URLSearchParams(new FormData(form)).toString();
let asked = 0, playing = null;
// An address may say how a page begins: truncation?T=30&K=5.
const given = new URLSearchParams(location.search);
for (const [key, value] of given) if (form.elements[key]) form.elements[key].value = value;
async function update() {
  for (const input of form.querySelectorAll('input[type=range]')) input.parentElement.querySelector('output').value = input.value;
  const mine = ++asked, answer = await render(query());
  if (mine !== asked) return;
  view.innerHTML = answer; view.dataset.done = String(mine);
}
form.addEventListener('input', update);
form.addEventListener('submit', e => e.preventDefault());
for (const button of form.querySelectorAll('button[data-play]')) button.addEventListener('click', () => {
  const time = form.elements[button.dataset.play];
  if (playing) { clearInterval(playing); playing = null; button.textContent = 'play'; return; }
  if (+time.value >= +time.max) time.value = 0;
  button.textContent = 'stop';
  playing = setInterval(() => {
    if (view.dataset.done !== String(asked)) return;
    time.value = +time.value + 1; update();
    if (+time.value >= +time.max) { clearInterval(playing); playing = null; button.textContent = 'play'; }
  }, 60);
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
  for (const time of form.querySelectorAll('input[data-time]')) time.value = 0;
  e.preventDefault(); update();
}
if (given.size > 0) update();
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
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{about}</p>\n<form>\n{controls}</form>\n\
         <div id=\"view\" data-done=\"0\">{first}</div>\n{code}<script type=\"module\">const name = '{name}';{script}{SCRIPT}</script>\n\
         </body></html>\n"
    )
}

fn control(control: &Control) -> String {
    match control {
        Control::Range { name, label, least, most, step, default } => {
            let label = escape(label);
            format!(
                "<label><span>{label}</span> <output>{default}</output><input type=\"range\" name=\"{name}\" min=\"{least}\" max=\"{most}\" \
                 step=\"{step}\" value=\"{default}\"></label>\n"
            )
        }
        Control::Time { name, label, most, default } => {
            let label = escape(label);
            format!(
                "<label><span>{label} <button type=\"button\" data-play=\"{name}\">play</button></span> <output>{default}</output>\
                 <input type=\"range\" name=\"{name}\" data-time min=\"0\" max=\"{most}\" step=\"1\" value=\"{default}\"></label>\n"
            )
        }
        Control::Choice { name, label, options } => {
            let options: String = options.iter().map(|o| format!("<option>{}</option>", escape(o))).collect();
            format!("<label><span>{}</span><select name=\"{name}\">{options}</select></label>\n", escape(label))
        }
        Control::Text { name, label, default } => format!(
            "<label><span>{}</span><input name=\"{name}\" value=\"{}\" spellcheck=\"false\" autocomplete=\"off\"></label>\n",
            escape(label),
            escape(default)
        ),
    }
}
