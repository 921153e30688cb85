// node docs/agree.mjs teach.wasm < answers: every number that WebAssembly answers is the native one, to 1e-12.
import { readFileSync } from 'node:fs';

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const engine = instance.exports;

function ask(question) {
  const text = new TextEncoder().encode(question), at = engine.reserve(text.length);
  new Uint8Array(engine.memory.buffer, at, text.length).set(text);
  const answer = engine.render(), length = new DataView(engine.memory.buffer).getUint32(answer, true);
  return new TextDecoder().decode(new Uint8Array(engine.memory.buffer, answer + 4, length));
}

let compared = 0, worst = 0, slowest = 0;
for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const [question, ...native] = line.split(' ');
  const first = performance.now();
  ask(question);
  const html = ask(question);
  slowest = Math.max(slowest, (performance.now() - first) / 2);
  const numbers = [...html.matchAll(/value="([^"]*)"/g)].map(m => m[1]);
  if (numbers.length !== native.length) throw new Error(`${question}: ${numbers.length} numbers for ${native.length}: ${html}`);
  numbers.forEach((number, i) => {
    const [a, b] = [Number(number), Number(native[i])];
    const error = Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b)) ? 0 : Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(error <= 1e-12)) throw new Error(`${question}: ${number} in place of ${native[i]}`);
    worst = Math.max(worst, error);
    compared += 1;
  });
}
if (compared === 0) throw new Error('there was nothing to compare');
console.log(`${compared} numbers agree, to ${worst.toExponential(1)}; the slowest answer took ${slowest.toFixed(1)} ms`);
