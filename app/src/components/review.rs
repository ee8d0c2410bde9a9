//! What people add to a run: tags, notes, the archive, deleting.

use leptos::prelude::*;
use podium_service::{RunView, Shelf};

use crate::escape::raw_text;
use crate::markdown;

/// The tags of a run, each as a link to all runs that have it.
pub fn tag_links(tags: &[String]) -> impl IntoView + use<> {
    let link = |tag: &String| {
        let mut query = leptos_router::params::ParamsMap::new();
        query.insert("tag", tag.clone());
        view! {
            <a class="tag" href=format!("/{}", query.to_query_string())>
                {tag.clone()}
            </a>
        }
    };
    tags.iter().map(link).collect_view()
}

/// Tags and notes with the form that changes them, and what takes the run out of the list.
pub fn review(run: &RunView) -> impl IntoView + use<> {
    let (id, item) = (run.item.id, &run.item);
    let is_bare = run.notes.is_empty() && item.tags.is_empty();
    let tags = (!item.tags.is_empty()).then(|| view! { <p class="tags">{tag_links(&item.tags)}</p> });
    let notes =
        (!run.notes.is_empty()).then(|| view! { <div class="notes" inner_html=markdown::to_html(&run.notes)></div> });
    let (move_to, move_word) =
        if item.shelf == Shelf::Archived { ("unarchive", "Take out of the archive") } else { ("archive", "Archive") };
    let delete = item.status.is_final().then(|| {
        view! {
            <form method="post" action=format!("/runs/{id}/delete")>
                <button class="button button-danger" type="submit">
                    "Delete"
                </button>
            </form>
        }
    });
    view! {
        <section id="review">
            <h2>"Tags and notes"</h2>
            {tags} {notes}
            <details class="section">
                <summary>{if is_bare { "Add tags and notes" } else { "Change tags and notes" }}</summary>
                <form class="section-body" method="post" action=format!("/runs/{id}/notes")>
                    <div class="field">
                        <label for="run-tags">"Tags"</label>
                        <input id="run-tags" type="text" name="tags" value=item.tags.join(", ") aria-describedby="run-tags-hint" />
                        <p class="field-hint" id="run-tags-hint">
                            "Separated by commas"
                        </p>
                    </div>
                    <div class="field">
                        <label for="run-notes">"Notes"</label>
                        <textarea id="run-notes" name="notes" rows="6" aria-describedby="run-notes-hint">
                            {raw_text(&run.notes)}
                        </textarea>
                        <p class="field-hint" id="run-notes-hint">
                            "Markdown"
                        </p>
                    </div>
                    <button class="button button-primary" type="submit">
                        "Save"
                    </button>
                </form>
            </details>
            <div class="button-row">
                <form method="post" action=format!("/runs/{id}/{move_to}")>
                    <button class="button" type="submit">
                        {move_word}
                    </button>
                </form>
                {delete}
            </div>
        </section>
    }
}
