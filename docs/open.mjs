// node docs/open.mjs BOOK < answers: opens every page of the book in a browser, and moves the sliders of the live pages to where
// they must answer the native numbers. No console errors, and no request that leaves the folder.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(name => spawnSync(name, ['--version']).status === 0);
if (!browser) {
  console.log('skipped: there is no Chromium here to open the pages in');
  process.exit(0);
}
const book = resolve(process.argv[2]), profile = mkdtempSync(join(tmpdir(), 'hypertape-book-'));
const child = spawn(browser, ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', `--user-data-dir=${profile}`],
  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });

// The browser's protocol: messages that end with a zero byte.
let next = 0, rest = '', session, wrong = [], loaded;
const waiting = new Map();
child.stdio[4].on('data', data => {
  rest += data;
  const messages = rest.split('\0');
  rest = messages.pop();
  for (const { id, result, error, method, params } of messages.map(m => JSON.parse(m))) {
    if (id) {
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      error ? reject(new Error(error.message)) : resolve(result);
    } else if (method === 'Page.loadEventFired') loaded();
    else if (method === 'Runtime.exceptionThrown') wrong.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') wrong.push(params.args.map(a => a.value).join(' '));
    else if (method === 'Log.entryAdded' && params.entry.level === 'error') wrong.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    else if (method === 'Network.requestWillBeSent' && !/^(file|data|blob):/.test(params.request.url)) wrong.push(`asks for ${params.request.url}`);
  }
});
const send = (method, params = {}) => new Promise((resolve, reject) => {
  waiting.set(++next, { resolve, reject });
  child.stdio[3].write(JSON.stringify({ id: next, method, params, sessionId: session }) + '\0');
});
const look = async expression => {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
};
async function open(page) {
  wrong = [];
  const there = new Promise(resolve => { loaded = resolve; });
  await send('Page.navigate', { url: `file://${book}/${page}` });
  await there;
}

// Sets the controls as a hand would, and waits for the engine.
const move = query => `(async () => {
  const form = document.querySelector('form'), view = document.getElementById('view');
  const before = Number(view.dataset.done);
  for (const [key, value] of new URLSearchParams(${JSON.stringify(query)})) form.elements[key].value = value;
  form.dispatchEvent(new Event('input', { bubbles: true }));
  for (let i = 0; Number(view.dataset.done) <= before; i += 1) {
    if (i > 500) throw new Error('the engine does not answer');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return [...view.querySelectorAll('data')].map(data => data.value);
})()`;

let pages = 0, numbers = 0;
try {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  session = (await send('Target.attachToTarget', { targetId, flatten: true })).sessionId;
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
  for (const page of readdirSync(book).filter(name => name.endsWith('.html') && !['404.html', 'toc.html'].includes(name))) {
    await open(page);
    const text = await look(`[...document.querySelectorAll('main :not(code)')].flatMap(e => [...e.childNodes])
      .filter(n => n.nodeType === 3 && !n.parentElement.closest('code, annotation')).map(n => n.data).join(' ')`);
    if (text.length < 200) wrong.push('an empty page');
    if (/\$[^$]+\$/.test(text) || await look(`document.querySelector('.katex-error') !== null`)) wrong.push('mathematics that was not set');
    const broken = await look(`[...document.images].filter(i => i.naturalWidth === 0).map(i => i.src)`);
    wrong.push(...broken.map(src => `no picture ${src}`));
    if (wrong.length > 0) throw new Error(`${page}: ${wrong.join('\n')}`);
    pages += 1;
  }
  for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
    const [question, ...native] = line.split(' '), [name, query] = question.split('?');
    await open(`live/${name}.html`);
    const found = (await look(move(query))).map(Number);
    native.map(Number).forEach((b, i) => {
      const near = Math.abs(found[i] - b) <= 1e-12 * Math.max(1, Math.abs(b)) || (Number.isNaN(found[i]) && Number.isNaN(b));
      if (!near) wrong.push(`${found[i]} in place of ${b}`);
    });
    if (wrong.length > 0) throw new Error(`${question}: ${wrong.join('\n')}`);
    numbers += native.length;
  }
  // Time moved by itself: far ahead, back, and to where the other settings put its end; then played from its beginning.
  const set = (name, value) => `(async () => {
    const view = document.getElementById('view'), before = Number(view.dataset.done), input = document.getElementById('c-${name}');
    input.value = ${JSON.stringify(value)};
    input.dispatchEvent(new Event('input', { bubbles: true }));
    for (let i = 0; Number(view.dataset.done) <= before; i += 1) {
      if (i > 500) throw new Error('the engine does not answer');
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    return view.querySelector('.words').textContent;
  })()`;
  const expect = async (name, value, words) => {
    const said = await look(set(name, value));
    if (!said.includes(words)) wrong.push(`${name} = ${value}: ${said} does not say: ${words}`);
  };
  await open('live/trust.html');
  await expect('step', '100', 'after 100 steps');
  const there = await look(`document.querySelector('[data-name=first]').value`);
  await expect('step', '7', 'after 7 steps');
  await expect('step', '100', 'after 100 steps');
  if (await look(`document.querySelector('[data-name=first]').value`) !== there) wrong.push('trust: another number at the same step');
  await expect('noise', '0', 'after 100 steps');
  await open('live/stepper.html');
  await expect('f', 'x', 'Step 2 of 2');
  await expect('f', 'sum(x*sin(x))', 'Step 8 of 8');
  await expect('step', '3', 'Step 3 of 8');
  await expect('f', 'sum(x*x*sin(x))', 'Step 3 of 10');
  await expect('step', '10', 'Step 10 of 10');
  const played = await look(`(async () => {
    const said = [], words = () => view.querySelector('.words').textContent;
    const view = document.getElementById('view'), button = document.querySelector('[data-play]');
    new MutationObserver(() => said.push(words().split(' of')[0])).observe(view, { childList: true });
    button.click();
    for (let i = 0; button.textContent === 'stop' || !words().startsWith('Step 10'); i += 1) {
      if (i > 500) throw new Error('the play does not end');
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    return said.join(', ');
  })()`);
  const all = Array.from({ length: 11 }, (_, i) => `Step ${i}`).join(', ');
  if (played !== all) wrong.push(`played: ${played}`);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
} finally {
  child.kill();
  await new Promise(resolve => child.on('exit', resolve));
  rmSync(profile, { recursive: true, force: true });
}
console.log(`${pages} pages of the book opened; ${numbers} numbers of live pages, with their sliders moved, are the native ones`);
