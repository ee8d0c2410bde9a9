//! Databases for tests: each fresh, migrated and its test's own, on one throw-away server per test process.

use std::sync::atomic::{AtomicU32, Ordering};

use podium_cluster::ThrowAwayCluster;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::pool::Store;

/// The migrated database that the others are copies of.
const TEMPLATE: &str = "podium_template";

/// Never dropped; the cluster removes itself when the process ends.
static CLUSTER: OnceCell<ThrowAwayCluster> = OnceCell::const_new();

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A test's own database.
#[derive(Debug)]
pub struct TestDatabase {
    /// Connected to it.
    pub store: Store,
    /// Its URL, for programs that connect by themselves.
    pub url: String,
}

impl TestDatabase {
    /// A fresh, migrated database.
    ///
    /// # Panics
    /// When the server cannot be had: a test cannot do without.
    pub async fn create() -> Self {
        let url = Self::copy_of(TEMPLATE).await;
        let store = Store::connect(&url).await.expect("the new database takes connections");
        TestDatabase { store, url }
    }

    /// The URL of a fresh database without any table.
    ///
    /// # Panics
    /// As [`TestDatabase::create`].
    pub async fn empty_url() -> String {
        Self::copy_of("template0").await
    }

    async fn copy_of(template: &str) -> String {
        let cluster = CLUSTER.get_or_init(start).await;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        execute(cluster, format!("create database {name} template {template}")).await;
        cluster.cluster().superuser_url(&name)
    }
}

async fn start() -> ThrowAwayCluster {
    let cluster = tokio::task::spawn_blocking(ThrowAwayCluster::start)
        .await
        .expect("starting a cluster does not panic")
        .expect("a throw-away PostgreSQL cluster starts");
    execute(&cluster, format!("create database {TEMPLATE}")).await;
    let store = Store::connect(&cluster.cluster().superuser_url(TEMPLATE)).await.expect("the template is there");
    store.migrate().await.expect("the migrations run");
    // A database with connections cannot be copied.
    store.close().await;
    cluster
}

async fn execute(cluster: &ThrowAwayCluster, sql: String) {
    let url = cluster.cluster().superuser_url("postgres");
    let mut connection = PgConnection::connect(&url).await.expect("the cluster takes connections");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("a database can be created");
    connection.close().await.expect("the connection closes");
}
