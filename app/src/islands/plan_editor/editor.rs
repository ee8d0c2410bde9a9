//! The editor at work. The YAML text is the truth: the form's edits go to the server as patches of it, and whatever
//! follows from the text comes back drawn.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::Event;

use super::draft::Draft;
use super::elements::{chosen_host, edit_of, select_line, start_form, target, text_area};
use crate::api::{check_plan, edit_plan};
use crate::dto::{FormEdit, PlanView};
use crate::error::AppError;
use crate::islands::parts::{part, replace, set_text, show};

/// How long the keyboard has to rest before the text is sent.
const REST: Duration = Duration::from_millis(300);

/// How long a press of the pointer may hold up what the server drew: the button under it must not be taken away.
const LONGEST_PRESS: Duration = Duration::from_millis(400);

/// Handles of the editor; clones are the same one.
#[derive(Clone)]
pub(super) struct Editor(Rc<Inner>);

struct Inner {
    draft: Draft,
    /// The text as the server drew it first.
    original: RefCell<String>,
    /// Counts changes of the text, so that an answer about an older one is told from the newest.
    version: Cell<u64>,
    /// The version that was checked last.
    checked: Cell<u64>,
    /// Problems that were found in it.
    problems: Cell<u32>,
    /// Edits of the form that are not in the text yet, oldest first.
    queue: RefCell<VecDeque<FormEdit>>,
    is_editing: Cell<bool>,
    timer: Cell<Option<TimeoutHandle>>,
    /// Whether the start button was pressed before everything was checked.
    wants_start: Cell<bool>,
    is_pressed: Cell<bool>,
    /// A form that waits for the pointer's release.
    waiting_form: RefCell<Option<String>>,
}

impl Editor {
    pub(super) fn new(source: String, problems: u32) -> Self {
        Self(Rc::new(Inner {
            draft: Draft::new(&source),
            original: RefCell::default(),
            version: Cell::new(0),
            checked: Cell::new(0),
            problems: Cell::new(problems),
            queue: RefCell::default(),
            is_editing: Cell::new(false),
            timer: Cell::new(None),
            wants_start: Cell::new(false),
            is_pressed: Cell::new(false),
            waiting_form: RefCell::default(),
        }))
    }

    /// In the browser: brings back what an earlier visit left, and what the browser itself put back into the text area.
    pub(super) fn wake(&self) {
        let Some(area) = text_area() else { return };
        self.0.original.replace(area.default_value().unwrap_or_default());
        let original = self.0.original.borrow().clone();
        match self.0.draft.open_text().filter(|draft| *draft != original) {
            Some(draft) => {
                area.set_value(&draft);
                show("draft-notice", true);
                self.text_changed();
            }
            None if area.value() != original => self.text_changed(),
            None => {}
        }
        if let Some(root) = part("plan-editor-root") {
            // Styles and tests can tell that it listens. A constant, valid attribute name.
            let _ = root.set_attribute("data-awake", "true");
        }
    }

    /// Something was typed, perhaps in the text.
    pub(super) fn typed(&self, event: &Event) {
        if target(event).is_some_and(|target| target.id() == "plan-yaml") {
            self.text_changed();
        }
    }

    /// An input of the form was left with another value.
    pub(super) fn changed(&self, event: &Event) {
        let Some(target) = target(event) else { return };
        if target.id() == "start-host" {
            // The same text is another plan on a host whose frameworks take other flags.
            self.text_changed();
        } else if let Some(edit) = edit_of(&target) {
            self.edit(edit);
        }
    }

    /// A button was pressed.
    pub(super) fn clicked(&self, event: &Event) {
        self.release();
        let Some(button) = target(event).and_then(|target| target.closest("button").ok().flatten()) else { return };
        if button.id() == "draft-discard" {
            self.discard();
        } else if let Some(line) = button.get_attribute("data-line").and_then(|line| line.parse().ok()) {
            select_line(line);
        } else if let Some(edit) = edit_of(&button) {
            self.edit(edit);
        }
    }

    /// The pointer went down; a click may follow.
    pub(super) fn pressed(&self, _: &Event) {
        self.0.is_pressed.set(true);
        let editor = self.clone();
        set_timeout(move || editor.release(), LONGEST_PRESS);
    }

    fn release(&self) {
        self.0.is_pressed.set(false);
        if let Some(form) = self.0.waiting_form.take() {
            replace("plan-form-body", &form);
        }
    }

    /// The form is about to be sent: only with a text that was checked and is right.
    pub(super) fn submitted(&self, event: &Event) {
        if !self.is_settled() {
            event.prevent_default();
            self.0.wants_start.set(true);
            set_text("start-note", "Checking the last change…");
            // An earlier check may have been lost on its way.
            if !self.0.is_editing.get() {
                self.check();
            }
        } else if self.0.problems.get() > 0 {
            event.prevent_default();
            if let Some(problems) = part("plan-problems") {
                problems.scroll_into_view();
            }
        } else if let Some(area) = text_area() {
            self.0.draft.started(&area.value());
        }
    }

    fn discard(&self) {
        let original = self.0.original.borrow().clone();
        if let Some(area) = text_area() {
            area.set_value(&original);
        }
        self.text_changed();
        self.0.draft.forget();
        show("draft-notice", false);
    }

    /// The text was typed or replaced. It is checked once the keyboard rests.
    fn text_changed(&self) {
        if let Some(area) = text_area() {
            self.0.draft.keep(&area.value());
        }
        self.0.version.set(self.0.version.get() + 1);
        if let Some(timer) = self.0.timer.take() {
            timer.clear();
        }
        let editor = self.clone();
        self.0.timer.set(set_timeout_with_handle(move || editor.check(), REST).ok());
    }

    fn check(&self) {
        let asked = self.0.version.get();
        let editor = self.clone();
        spawn_local(async move {
            let Some(area) = text_area() else { return };
            let answer = check_plan(area.value(), chosen_host()).await;
            // Newest answer wins: one about an older text is dropped.
            if editor.0.version.get() == asked {
                match answer {
                    Ok(view) => editor.accept(&view),
                    Err(error) => editor.fail(&error),
                }
            }
        });
    }

    /// One edit of the form. Edits are applied one after the other, each to the text that the one before it made.
    fn edit(&self, edit: FormEdit) {
        self.0.queue.borrow_mut().push_back(edit);
        if self.0.is_editing.replace(true) {
            return;
        }
        let editor = self.clone();
        spawn_local(async move {
            loop {
                let next = editor.0.queue.borrow().front().cloned();
                let (Some(edit), Some(area)) = (next, text_area()) else { break };
                let asked = editor.0.version.get();
                let answer = edit_plan(area.value(), edit, chosen_host()).await;
                if editor.0.version.get() != asked {
                    // The text was typed in meanwhile; the edit is applied to what it has become.
                    continue;
                }
                editor.0.queue.borrow_mut().pop_front();
                match answer {
                    Ok(view) => {
                        area.set_value(&view.yaml);
                        editor.0.draft.keep(&view.yaml);
                        editor.0.version.set(asked + 1);
                        editor.accept(&view);
                    }
                    Err(error) => editor.fail(&error),
                }
            }
            editor.0.is_editing.set(false);
            editor.start_if_wanted();
        });
    }

    /// Puts in place what follows from the text.
    fn accept(&self, view: &PlanView) {
        show("plan-failure", false);
        show("plan-frozen", view.form_html.is_none());
        if let Some(sections) = part("plan-form-body") {
            // A constant, valid attribute name: neither can fail.
            let _ = match view.form_html {
                Some(_) => sections.remove_attribute("disabled"),
                None => sections.set_attribute("disabled", ""),
            };
        }
        // While later edits wait, the form would show values that they are about to change.
        if let Some(form) = view.form_html.as_ref().filter(|_| self.0.queue.borrow().is_empty()) {
            if self.0.is_pressed.get() {
                self.0.waiting_form.replace(Some(form.clone()));
            } else {
                replace("plan-form-body", form);
            }
        }
        replace("plan-problems", &view.problems_html);
        replace("plan-candidates", &view.candidates_html);
        replace("plan-leave-out", &view.leave_out_html);
        set_text("start-note", &view.note);
        self.0.problems.set(view.problems);
        self.0.checked.set(self.0.version.get());
        self.start_if_wanted();
    }

    fn fail(&self, error: &AppError) {
        let text = match error {
            AppError::Invalid { fields, .. } if !fields.is_empty() => {
                fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join("; ")
            }
            other => other.to_string(),
        };
        set_text("plan-failure", &format!("The change was not made: {text}."));
        show("plan-failure", true);
        self.0.wants_start.set(false);
    }

    /// Whether the last answer is about the text as it stands.
    fn is_settled(&self) -> bool {
        !self.0.is_editing.get() && self.0.checked.get() == self.0.version.get()
    }

    fn start_if_wanted(&self) {
        if self.0.wants_start.get() && self.is_settled() {
            self.0.wants_start.set(false);
            if let Some(form) = start_form() {
                // It fails for a submitter that is not the form's own; there is none.
                let _ = form.request_submit();
            }
        }
    }
}
