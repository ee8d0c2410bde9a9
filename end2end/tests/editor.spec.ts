import { PlanEditor } from '../pages/plan-editor';
import { expect, test } from '../support/fixtures';
import { plan } from '../support/plans';

/** The places of the mistakes in `plans/five-mistakes.yaml`. */
const MISTAKES = [
  'dataset.num_prompts',
  'dataset.scenario_names',
  'sla.max_p99_ttft_ms',
  'frameworks.sglang.base_server_flags.no_such_flag',
  'frameworks.vllm.search_space.max_num_seqs[0]',
];

test('five mistakes get five messages at their places, and nothing is started', async ({ page }) => {
  const runs = await page.request.get('/').then((answer) => answer.text());
  const editor = new PlanEditor(page);
  await editor.open();
  await editor.yaml.fill(plan('five-mistakes'));
  await expect(editor.problems).toHaveCount(MISTAKES.length);
  for (const path of MISTAKES) {
    await expect(editor.problems.and(page.locator(`[data-path="${path}"]`))).toContainText(/line \d+/);
  }
  await expect(editor.note).toHaveText('5 problems to correct first');
  // At the field as well, and counted in the head of its section.
  await expect(editor.field('Requests per measurement')).toHaveAttribute('aria-invalid', 'true');
  await expect(page.locator('#section-workload > summary')).toContainText('2 to correct');

  await editor.start.click();
  await expect(page).toHaveURL('/plans/new');
  const after = await page.request.get('/').then((answer) => answer.text());
  expect(count(after, 'data-run=')).toBe(count(runs, 'data-run='));

  // A problem leads to its line.
  await editor.problems.first().getByRole('button').click();
  const selected = await editor.yaml.evaluate((area: HTMLTextAreaElement) =>
    area.value.slice(area.selectionStart, area.selectionEnd),
  );
  expect(selected).toBe('  num_prompts: many');
});

test('form and text follow each other', async ({ page }) => {
  const editor = new PlanEditor(page);
  await editor.open();
  await editor.yaml.fill(plan('short'));
  await expect(editor.candidates).toHaveCount(2);

  await editor.framework('vLLM').check();
  await expect.poll(() => editor.yaml.inputValue()).toContain('vllm:');
  // A framework can be left out of one run while the plan keeps it; the tick outlives the next edit.
  await page.locator('#plan-leave-out').getByLabel('vLLM').check();
  await editor.enter('Requests per measurement', '50');
  await expect.poll(() => editor.valueInText('num_prompts')).toBe('50');
  await expect(page.locator('#plan-leave-out').getByLabel('vLLM')).toBeChecked();

  await editor.framework('SGLang').uncheck();
  await expect(editor.framework('SGLang')).not.toBeChecked();
  await expect(page.locator('#plan-candidates li', { hasText: 'sglang' })).toHaveCount(0);

  // Two fields in quick succession: both changes end up in the text.
  await editor.field('Input tokens of scenario 1').fill('700');
  await editor.field('Output tokens of scenario 1').fill('90');
  await editor.field('Output tokens of scenario 1').blur();
  await expect.poll(() => editor.valueInText('input_len')).toBe('[700]');
  await expect.poll(() => editor.valueInText('output_len')).toBe('[90]');
  // Comments and what was not edited stay as they were.
  expect(await editor.yaml.inputValue()).toContain('# Two simulated engines, one scenario');
});

test('a text that is not YAML freezes the form and never clears it', async ({ page }) => {
  const editor = new PlanEditor(page);
  await editor.open();
  await editor.yaml.fill(plan('short'));
  await expect(editor.field('Model')).toHaveValue('demo/simulated-8b');
  await editor.yaml.fill(`${plan('short')}\nbroken: [`);
  await expect(editor.frozen).toBeVisible();
  await expect(editor.field('Model')).toBeDisabled();
  await expect(editor.field('Model')).toHaveValue('demo/simulated-8b');
  await editor.yaml.fill(plan('short'));
  await expect(editor.frozen).toBeHidden();
  await expect(editor.field('Model')).toBeEnabled();
});

test('nothing is lost on reload, and a draft can be discarded', async ({ page }) => {
  const editor = new PlanEditor(page);
  await editor.open('/plans/new?from=demo-simulated');
  const original = await editor.yaml.inputValue();
  await editor.enter('Model', 'demo/draft-8b');
  await expect.poll(() => editor.valueInText('name')).toBe('demo/draft-8b');

  await editor.open('/plans/new?from=demo-simulated');
  await expect(editor.draftNotice).toBeVisible();
  await expect(editor.field('Model')).toHaveValue('demo/draft-8b');
  await editor.draftNotice.getByRole('button', { name: 'Discard them' }).click();
  await expect(editor.yaml).toHaveValue(original);
  await editor.open('/plans/new?from=demo-simulated');
  await expect(editor.draftNotice).toBeHidden();
  // Another starting point has a draft of its own.
  await editor.open('/plans/new');
  await expect(editor.draftNotice).toBeHidden();
});

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
