// A preprocessor of mdBook: $…$ and $$…$$ outside of code become HTML, so that a page needs no script for its mathematics. Links to
// pages of docs/ that are not in the book go to where the project lives.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

if (process.argv[2] === 'supports') process.exit(process.argv[3] === 'html' ? 0 : 1);
const katex = createRequire(process.env.KATEX_HOME + '/')('katex');
const [, book] = JSON.parse(readFileSync(0, 'utf8'));

function set(text, displayMode) {
  return katex.renderToString(text, { displayMode, throwOnError: true, strict: 'error' });
}

function page(text) {
  // Fenced blocks and code in a line stay as they are.
  return text.split(/(^```[\s\S]*?^```|`[^`\n]+`)/m).map((part, i) => i % 2 ? part : part
    .replace(/\]\((compile|speed|conventions|engine)\.md\)/g, '](https://github.com/hypertape/hypertape/blob/main/docs/$1.md)')
    .replace(/\$\$([\s\S]+?)\$\$/g, (_, math) => set(math, true))
    .replace(/\$([^$\n]+)\$/g, (_, math) => set(math, false))).join('');
}

function walk(items) {
  for (const { Chapter } of items) {
    if (!Chapter) continue;
    try {
      Chapter.content = page(Chapter.content);
    } catch (error) {
      throw new Error(`${Chapter.path}: ${error.message}`);
    }
    walk(Chapter.sub_items);
  }
}

walk(book.items ?? book.sections);
console.log(JSON.stringify(book));
