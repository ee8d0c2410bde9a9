import { expect, type Page } from '@playwright/test';

/** A result row as Podium and its command line write it. */
export function row(framework: string, candidate: string, rate: number, flags: string): string {
  return JSON.stringify({
    framework,
    candidate_id: candidate,
    model: 'org/Imported-1B',
    status: 'ok',
    workload: { scenario: 'chat', num_prompts: 500 },
    metrics: {
      request_throughput: rate,
      output_token_throughput: rate * 40,
      p50_ttft_ms: 400 / rate,
      p50_tpot_ms: 40 / rate,
    },
    server_command: `${framework} serve org/Imported-1B ${flags}`,
    sla: { passed: true },
  });
}

/** Imports a run of three measured candidates; its id. */
export async function importRun(page: Page, title: string): Promise<string> {
  const rows = [
    row('vllm', 'vllm-a', 2, '--max-num-seqs 64'),
    row('vllm', 'vllm-b', 2.5, '--max-num-seqs 128'),
    row('sglang', 'sglang-a', 3, '--chunked-prefill-size 4096'),
  ];
  await page.goto('/import');
  const buffer = Buffer.from(`${rows.join('\n')}\n`);
  await page.getByLabel('Files').setInputFiles({ name: 'rows.jsonl', mimeType: 'application/json', buffer });
  await page.getByLabel('Name of the run').fill(title);
  await page.getByRole('button', { name: 'Import' }).click();
  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);
  return new URL(page.url()).pathname.split('/')[2]!;
}
