//! Logs of engines that still run.

use podium_domain::status::LaunchState;
use podium_store::{ArtifactLimits, LaunchUpdate, Lease, LivePart, Store};
use uuid::Uuid;

use crate::fixture::{launch, run_with_candidate, store};

async fn read(store: &Store, launch: Uuid) -> Vec<LivePart> {
    let mut parts = Vec::new();
    let mut offset = 0;
    while let Some(part) = store.live_log(launch, offset).await.unwrap() {
        offset = part.next_offset();
        parts.push(part);
    }
    parts
}

async fn append(store: &Store, lease: &Lease, launch: Uuid, start_offset: i64, text: &str) -> bool {
    let part = LivePart { start_offset, text: text.to_owned() };
    store.append_live_log(lease, launch, &part).await.unwrap()
}

#[tokio::test]
async fn pieces_are_read_in_order_and_go_once_the_log_is_stored() {
    let store = store().await;
    let (lease, candidate) = run_with_candidate(&store).await;
    let launch = launch(&store, &lease, candidate).await;
    assert_eq!(store.live_log(launch, 0).await.unwrap(), None);
    assert!(append(&store, &lease, launch, 0, "grün\n").await);
    assert!(append(&store, &lease, launch, 6, "two\n").await);
    assert!(append(&store, &lease, launch, 6, "two\n").await, "a piece whose storing was not heard of comes again");
    let parts = read(&store, launch).await;
    assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), "grün\ntwo\n");
    assert_eq!(store.live_log(launch, 3).await.unwrap().unwrap().start_offset, 0, "a piece is given whole");

    let artifact = store.put_artifact(&b"all"[..], "text/plain", ArtifactLimits::default()).await.unwrap();
    let update = LaunchUpdate { log_artifact_id: Some(artifact.id), ..LaunchUpdate::state(LaunchState::Stopped) };
    store.update_launch(&lease, launch, &update, &[]).await.unwrap();
    assert!(!append(&store, &lease, launch, 10, "late").await);
    assert_eq!(read(&store, launch).await, []);
}

#[tokio::test]
async fn a_flood_keeps_its_start_and_its_end() {
    let store = store().await;
    let (lease, candidate) = run_with_candidate(&store).await;
    let launch = launch(&store, &lease, candidate).await;
    let piece = "x".repeat(256 << 10);
    for number in 0..40 {
        append(&store, &lease, launch, number * (256 << 10), &piece).await;
    }
    let parts = read(&store, launch).await;
    assert!(parts.iter().map(|part| part.text.len()).sum::<usize>() <= (2 << 20) + (512 << 10));
    assert_eq!(parts[0].start_offset, 0);
    assert_eq!(parts.last().unwrap().next_offset(), 40 * (256 << 10));
    assert!(parts.windows(2).any(|pair| pair[0].next_offset() < pair[1].start_offset), "the middle is gone");
}
