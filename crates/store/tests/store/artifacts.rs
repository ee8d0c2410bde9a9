use podium_store::{ArtifactLimits, Error, Lease, NewArtifactLink, Store};
use uuid::Uuid;

use crate::fixture::{run_with_candidate, store};

const SMALL: ArtifactLimits = ArtifactLimits { chunk_bytes: 10, edge_bytes: 20 };

/// `length` bytes that differ from their neighbours.
fn content(length: u8) -> Vec<u8> {
    (0..length).map(|n| b'a' + n % 26).collect()
}

async fn link(store: &Store, lease: &Lease, artifact_id: Uuid) {
    let link =
        NewArtifactLink { artifact_id, launch_id: None, kind: "server_log".to_owned(), name: "server.log".to_owned() };
    store.link_artifact(lease, &link).await.unwrap();
}

#[tokio::test]
async fn small_contents_come_back_whole_and_are_stored_once() {
    let store = store().await;
    for length in [0, 1, 10, 20, 39, 40] {
        let bytes = content(length);
        let artifact = store.put_artifact(&bytes[..], "text/plain", SMALL).await.unwrap();
        assert!(!artifact.truncated, "{length} bytes fit");
        assert_eq!(store.artifact_bytes(artifact.id).await.unwrap(), bytes);
        let again = store.put_artifact(&bytes[..], "text/plain", SMALL).await.unwrap();
        assert_eq!(again, artifact);
    }
}

#[tokio::test]
async fn of_large_contents_head_and_tail_are_kept() {
    let store = store().await;
    let bytes = content(95);
    let artifact = store.put_artifact(&bytes[..], "text/plain", SMALL).await.unwrap();
    assert!(artifact.truncated);
    assert_eq!((artifact.size_bytes, artifact.stored_bytes), (95, 35));
    let expected = [&bytes[..20], "\n… 60 bytes are not stored …\n".as_bytes(), &bytes[80..]].concat();
    assert_eq!(store.artifact_bytes(artifact.id).await.unwrap(), expected);

    let inside = store.artifact_part(artifact.id, 13).await.unwrap().unwrap();
    assert_eq!((inside.offset, &inside.bytes[..], inside.next_offset()), (13, &bytes[13..20], 20));
    let after_gap = store.artifact_part(artifact.id, 25).await.unwrap().unwrap();
    assert_eq!((after_gap.offset, &after_gap.bytes[..]), (80, &bytes[80..90]));
    assert_eq!(store.artifact_part(artifact.id, 95).await.unwrap(), None);
}

#[tokio::test]
async fn contents_that_differ_in_the_cut_part_alone_are_different() {
    let store = store().await;
    let bytes = content(95);
    let mut other = bytes.clone();
    other[50] = b'!';
    let first = store.put_artifact(&bytes[..], "text/plain", SMALL).await.unwrap();
    let second = store.put_artifact(&other[..], "text/plain", SMALL).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_ne!(first.sha256, second.sha256);
}

#[tokio::test]
async fn a_run_names_its_files() {
    let store = store().await;
    let (lease, _) = run_with_candidate(&store).await;
    let first = store.put_artifact(&b"one"[..], "text/plain", ArtifactLimits::default()).await.unwrap();
    let second = store.put_artifact(&b"second"[..], "text/plain", ArtifactLimits::default()).await.unwrap();
    link(&store, &lease, first.id).await;
    link(&store, &lease, second.id).await;
    let files = store.run_artifacts(lease.run_id).await.unwrap();
    assert_eq!(files.len(), 1, "the later file replaces the earlier one of its name");
    assert_eq!((files[0].artifact_id, files[0].size_bytes), (second.id, 6));

    let stale = Lease { epoch: lease.epoch - 1, ..lease };
    let unlinked = NewArtifactLink { artifact_id: first.id, launch_id: None, kind: "x".into(), name: "y".into() };
    assert!(matches!(store.link_artifact(&stale, &unlinked).await, Err(Error::LeaseLost)));
}
