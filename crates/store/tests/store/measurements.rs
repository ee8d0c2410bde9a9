use podium_domain::load::LoadPoint;
use podium_domain::measure::{ClientHealth, SeriesPoint, Summary};
use podium_domain::stats::Distribution;
use podium_domain::status::{LaunchState, MeasurementStatus};
use podium_domain::validity::Validity;
use podium_store::{Error, FinishedMeasurement, LaunchUpdate, NewMeasurement, Samples};

use crate::fixture::{claim, event, launch, measurement, queue_run_on, run_with_candidate, store};

fn summary() -> Summary {
    let value = serde_json::json!({
        "planned": 80, "sent": 80, "completed": 80, "failed": 0, "never_sent": 0, "duration_s": 20.5,
        "request_throughput": 3.9, "output_token_throughput": 120.25, "success_rate": 1.0,
        "failures": [], "client": ClientHealth::default(), "client_limited": false, "validity": Validity::Valid,
    });
    let mut summary: Summary = serde_json::from_value(value).unwrap();
    summary.ttft_ms = Distribution::of(&mut [10.0, 20.0, 40.0]);
    summary
}

fn finished() -> FinishedMeasurement {
    let point = SeriesPoint {
        t_s: 0,
        sent: 4,
        completed: 2,
        failed: 0,
        in_flight: 2,
        output_tokens: 17,
        ttft_p50_ms: Some(12.5),
    };
    FinishedMeasurement {
        summary: summary(),
        series: vec![point],
        telemetry: None,
        sla_passed: Some(true),
        samples: Some(Samples { codec: "columns-v1".to_owned(), bytes: vec![1, 2, 255] }),
        took: None,
    }
}

#[tokio::test]
async fn a_measurement_is_stored_whole_and_once() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let launch_id = launch(&store, &lease, candidate_id).await;
    let ids = store.insert_measurements(&lease, &[measurement(candidate_id, 0)], &[]).await.unwrap();
    store.start_measurement(&lease, ids[0], launch_id, &[event("measuring")]).await.unwrap();
    assert_eq!(store.measurement(ids[0]).await.unwrap().status, MeasurementStatus::Measuring);

    assert!(store.finish_measurement(&lease, ids[0], &finished(), &[event("done")]).await.unwrap());
    let seq = store.run(lease.run_id).await.unwrap().last_event_seq;
    assert!(!store.finish_measurement(&lease, ids[0], &finished(), &[event("done")]).await.unwrap(), "a replay");
    assert_eq!(store.run(lease.run_id).await.unwrap().last_event_seq, seq, "a replay tells nobody");

    let stored = store.measurements(lease.run_id).await.unwrap().remove(0);
    assert_eq!(stored.status, MeasurementStatus::Done);
    assert_eq!(stored.launch_id, Some(launch_id));
    assert_eq!(stored.load_point, LoadPoint::Rate { rate_rps: 4.0, max_concurrency: Some(32) });
    assert_eq!(stored.summary, Some(summary()));
    assert_eq!(stored.series, Some(finished().series));
    assert_eq!(stored.sla_passed, Some(true));
    assert_eq!(store.samples(ids[0]).await.unwrap(), finished().samples);
}

#[tokio::test]
async fn one_that_is_stored_late_keeps_the_time_at_which_it_ended() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let launch_id = launch(&store, &lease, candidate_id).await;
    let id = store.insert_measurements(&lease, &[measurement(candidate_id, 0)], &[]).await.unwrap()[0];
    store.start_measurement(&lease, id, launch_id, &[]).await.unwrap();
    let took = std::time::Duration::from_millis(2_500);
    let late = FinishedMeasurement { took: Some(took), ..finished() };
    store.finish_measurement(&lease, id, &late, &[]).await.unwrap();
    let stored = store.measurement(id).await.unwrap();
    assert_eq!(stored.ended_at.unwrap() - stored.started_at.unwrap(), took);
}

#[tokio::test]
async fn the_same_measurement_is_not_planned_twice() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let first = measurement(candidate_id, 0);
    store.insert_measurements(&lease, std::slice::from_ref(&first), &[]).await.unwrap();
    let twice = store.insert_measurements(&lease, &[measurement(candidate_id, 1), first.clone()], &[]).await;
    assert!(matches!(twice, Err(Error::Conflict { constraint }) if constraint == "measurement_tuple_key"));
    assert_eq!(store.measurements(lease.run_id).await.unwrap().len(), 1, "all or nothing");
    let others = [
        NewMeasurement { repeat: 1, ..first.clone() },
        NewMeasurement { attempt: 2, ..first.clone() },
        NewMeasurement { scenario: "summarization".to_owned(), ..first.clone() },
        NewMeasurement { load_point: LoadPoint::Burst { max_concurrency: None }, ..first },
    ];
    store.insert_measurements(&lease, &others, &[]).await.unwrap();
    assert_eq!(store.measurements(lease.run_id).await.unwrap().len(), 5);
}

#[tokio::test]
async fn what_was_given_up_keeps_its_reason() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let id = store.insert_measurements(&lease, &[measurement(candidate_id, 0)], &[]).await.unwrap()[0];
    store.give_up_measurement(&lease, id, MeasurementStatus::Skipped, "not needed", &[]).await.unwrap();
    let stored = store.measurement(id).await.unwrap();
    assert_eq!((stored.status, stored.failure_reason.as_deref()), (MeasurementStatus::Skipped, Some("not needed")));
    let late = store.finish_measurement(&lease, id, &finished(), &[]).await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
    let wrong = store.give_up_measurement(&lease, id, MeasurementStatus::Done, "", &[]).await;
    assert!(matches!(wrong, Err(Error::Value { .. })), "{wrong:?}");
}

#[tokio::test]
async fn a_lease_reaches_its_own_run_only() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let id = store.insert_measurements(&lease, &[measurement(candidate_id, 0)], &[]).await.unwrap()[0];
    let launch_id = launch(&store, &lease, candidate_id).await;
    queue_run_on(&store, "elsewhere").await;
    let other = claim(&store, "other").await.lease;
    let planned = store.insert_measurements(&other, &[measurement(candidate_id, 1)], &[]).await;
    assert!(matches!(planned, Err(Error::NotFound { what: "candidate" })), "{planned:?}");
    let done = store.finish_measurement(&other, id, &finished(), &[]).await;
    assert!(matches!(done, Err(Error::NotFound { what: "measurement" })), "{done:?}");
    let updated = store.update_launch(&other, launch_id, &LaunchUpdate::state(LaunchState::Failed), &[]).await;
    assert!(matches!(updated, Err(Error::NotFound { what: "launch" })), "{updated:?}");
}

#[tokio::test]
async fn a_launch_is_known_before_its_process_and_open_until_it_ends() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let first = launch(&store, &lease, candidate_id).await;
    let second = launch(&store, &lease, candidate_id).await;
    let attempts: Vec<_> = store.launches(lease.run_id).await.unwrap().iter().map(|l| (l.id, l.attempt)).collect();
    assert_eq!(attempts, [(first, 1), (second, 2)]);

    let update =
        LaunchUpdate { pid: Some(42), version: Some("0.19".to_owned()), ..LaunchUpdate::state(LaunchState::Ready) };
    store.update_launch(&lease, first, &update, &[event("ready")]).await.unwrap();
    let ready_at = store.launch(first).await.unwrap().ready_at;
    assert!(ready_at.is_some());
    store.update_launch(&lease, first, &LaunchUpdate::state(LaunchState::Ready), &[]).await.unwrap();
    assert_eq!(store.launch(first).await.unwrap().ready_at, ready_at, "the first time counts");
    assert_eq!(store.open_launches(lease.run_id).await.unwrap().len(), 2);

    store.update_launch(&lease, first, &LaunchUpdate::state(LaunchState::Stopped), &[]).await.unwrap();
    let stored = store.launch(first).await.unwrap();
    assert_eq!((stored.state, stored.pid, stored.version.as_deref()), (LaunchState::Stopped, Some(42), Some("0.19")));
    assert!(stored.ended_at.is_some());
    let open: Vec<_> = store.open_launches(lease.run_id).await.unwrap().iter().map(|launch| launch.id).collect();
    assert_eq!(open, [second]);
}
