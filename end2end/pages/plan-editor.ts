import { type Locator, type Page, expect } from '@playwright/test';

/** The page on which a plan is written and started. */
export class PlanEditor {
  readonly yaml: Locator;
  readonly problems: Locator;
  readonly frozen: Locator;
  readonly draftNotice: Locator;
  readonly note: Locator;
  readonly start: Locator;
  readonly candidates: Locator;

  constructor(readonly page: Page) {
    this.yaml = page.getByLabel('Plan as YAML');
    this.problems = page.locator('#plan-problems .notice-bad li');
    this.frozen = page.locator('#plan-frozen');
    this.draftNotice = page.locator('#draft-notice');
    this.note = page.locator('#start-note');
    this.start = page.getByRole('button', { name: 'Start the run' });
    this.candidates = page.locator('#plan-candidates li');
  }

  /** Opens the page and waits until the editor is awake: it takes up what is typed. */
  async open(path = '/plans/new'): Promise<void> {
    await this.page.goto(path);
    await expect(this.page.locator('.plan-editor-root')).toHaveAttribute('data-awake', 'true');
  }

  field(label: string): Locator {
    return this.page.locator('.plan-form').getByLabel(label, { exact: true });
  }

  /** Enters a value and leaves the field, as a person does. */
  async enter(label: string, value: string): Promise<void> {
    await this.field(label).fill(value);
    await this.field(label).blur();
  }

  framework(name: string): Locator {
    return this.page.locator('.framework-part').getByRole('checkbox', { name });
  }

  /** The value of a key in the text, by the first line that has it. */
  async valueInText(key: string): Promise<string | undefined> {
    const text = await this.yaml.inputValue();
    return new RegExp(`^\\s*${key}:\\s*(.*?)\\s*(#.*)?$`, 'm').exec(text)?.[1];
  }
}
