use podium_store::testing::TestDatabase;
use podium_store::{Error, Store};
use sqlx::{Connection, PgConnection};

use crate::fixture::OWNER;

#[tokio::test]
async fn migrations_run_once_however_often_and_by_however_many() {
    let url = TestDatabase::empty_url().await;
    let stores = [Store::connect(&url).await.unwrap(), Store::connect(&url).await.unwrap()];
    let (first, second) = tokio::join!(stores[0].migrate(), stores[1].migrate());
    first.unwrap();
    second.unwrap();
    stores[0].migrate().await.unwrap();
    let owner = stores[1].person(OWNER).await.unwrap();
    assert_eq!(owner.role, "admin");
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let database = TestDatabase::create().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of the future', true, '\\x00', 1)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let error = database.store.migrate().await.unwrap_err();
    assert!(matches!(error, Error::NewerDatabase { found: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("Use the newer Podium"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let folder = std::env::temp_dir().join("no-such-folder-of-podium");
    let error = Store::connect(&format!("postgres:///x?host={}", folder.display())).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_url_that_leads_nowhere_is_refused() {
    let url = TestDatabase::empty_url().await;
    for wrong in
        [url.replace("/test_", "/no_such_"), url.replace("user=postgres", "user=nobody"), "nonsense".to_owned()]
    {
        let error = Store::connect(&wrong).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{wrong}: {error:?}");
    }
}
