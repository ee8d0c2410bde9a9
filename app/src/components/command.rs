//! A command line to copy.

use leptos::prelude::*;

use crate::islands::CopyButton;

/// The command in a block of its own, with a button that copies it.
#[component]
pub fn Command(
    /// The element's id, unique on its page.
    id: String,
    /// The command, quoted for a shell.
    text: String,
) -> impl IntoView {
    view! {
        <div class="command-block">
            <pre class="command" id=id.clone()>
                {words(&text)}
            </pre>
            <CopyButton target=id />
        </div>
    }
}

/// The command in pieces that a line does not break inside of, each a flag with its value: browsers would break behind
/// the hyphens of `--flag`. The text as a whole stays the same.
pub(super) fn words(command: &str) -> AnyView {
    pieces(command).into_iter().map(|piece| view! { <span class="piece">{piece}</span> }).collect_view().into_any()
}

fn pieces(command: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in command.split_inclusive(' ') {
        match pieces.last_mut() {
            Some(last) if !word.starts_with('-') => last.push_str(word),
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn a_flag_stays_with_its_value_and_nothing_is_lost() {
        let command = "vllm serve org/model --max-num-seqs 64 --enable-prefix-caching -O 3";
        let pieces = pieces(command);
        assert_eq!(pieces.concat(), command);
        assert_eq!(pieces, ["vllm serve org/model ", "--max-num-seqs 64 ", "--enable-prefix-caching ", "-O 3"]);
    }
}
