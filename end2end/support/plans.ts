import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a plan in `plans/`. */
export function plan(name: string): string {
  return readFileSync(join(__dirname, '..', 'plans', `${name}.yaml`), 'utf8');
}
