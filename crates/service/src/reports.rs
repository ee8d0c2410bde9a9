//! Reports and the links that share them.

use podium_domain::report::Report;
use podium_formats::plan::Problem;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::password::{self, Purpose};
use crate::secret::{hash, new_secret};
use crate::service::Service;
use crate::views::{NewShare, ReportView, ShareOptions, ShareView, SharedReport};

/// How long a link may hold that ends by itself, in days.
const SHARE_DAYS: std::ops::RangeInclusive<u32> = 1..=3650;

impl Service {
    /// A stored report with its links.
    pub async fn report(&self, caller: Caller, id: Uuid) -> Result<ReportView> {
        caller.require(Role::Viewer)?;
        let report = self.store().report(id).await?;
        self.with_shares(report).await
    }

    /// The newest report of a run; `None` before there is one.
    pub async fn run_report(&self, caller: Caller, run_id: Uuid) -> Result<Option<ReportView>> {
        caller.require(Role::Viewer)?;
        self.store().run(run_id).await?;
        match self.store().report_of_run(run_id).await? {
            Some(report) => Ok(Some(self.with_shares(report).await?)),
            None => Ok(None),
        }
    }

    /// Makes a link to a report. Its token is in the answer and nowhere else: only its hash is stored.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a time or a password that is none.
    pub async fn share_report(&self, caller: Caller, report_id: Uuid, options: ShareOptions) -> Result<NewShare> {
        caller.require(Role::Runner)?;
        let ShareOptions { include_private, days, password } = options;
        self.store().report(report_id).await?;
        if days.is_some_and(|days| !SHARE_DAYS.contains(&days)) {
            let text = format!("a link ends in {} to {} days, or never", SHARE_DAYS.start(), SHARE_DAYS.end());
            return Err(Error::Invalid { problems: vec![Problem::new("days", None, text)] });
        }
        let password_hash = match password {
            Some(password) => Some(password::hash(password, Purpose::Link, "password").await?),
            None => None,
        };
        let token = new_secret();
        let new = podium_store::NewShare {
            report_id,
            token_sha256: hash(&token),
            include_private,
            password_hash,
            expires_at: days.map(|days| OffsetDateTime::now_utc() + Duration::days(i64::from(days))),
            created_by: caller.person,
        };
        let share = share_view(&self.store().create_share(&new).await?);
        let detail = serde_json::json!({
            "share": share.id, "include_private": include_private, "days": days, "has_password": share.has_password,
        });
        self.audit(caller, "report.share", format!("report {report_id}"), detail).await?;
        Ok(NewShare { share, token })
    }

    /// Revokes a link: it shows nothing from now on.
    pub async fn revoke_share(&self, caller: Caller, share_id: Uuid) -> Result<()> {
        caller.require(Role::Runner)?;
        self.store().revoke_share(share_id).await?;
        self.audit(caller, "report.unshare", format!("share {share_id}"), serde_json::json!({})).await
    }

    /// What a link shows. The token is the right; there is no caller. A link with a password shows nothing without `key`,
    /// which [`Service::unlock_share`] gave.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token that is unknown, revoked or expired, without saying which.
    pub async fn shared_report(&self, token: &str, key: Option<&str>) -> Result<SharedReport> {
        let share = self.open_share(token).await?;
        if let Some(password_hash) = &share.password_hash
            && key != Some(key_of(token, password_hash).as_str())
        {
            return Ok(SharedReport::Locked);
        }
        let mut view = view(self.store().report(share.report_id).await?)?;
        if !share.include_private {
            view.report = view.report.redacted().map_err(Error::internal)?;
        }
        Ok(SharedReport::Open(Box::new(view)))
    }

    /// The key to a link's report for whoever knows its password; `None` where it does not fit. The key is of no use for
    /// another link, or once the link is over.
    ///
    /// # Errors
    /// As [`Service::shared_report`].
    pub async fn unlock_share(&self, token: &str, password: String) -> Result<Option<String>> {
        let share = self.open_share(token).await?;
        let fits = password::fits(password, share.password_hash.clone()).await?;
        Ok(share.password_hash.filter(|_| fits).map(|password_hash| key_of(token, &password_hash)))
    }

    async fn open_share(&self, token: &str) -> Result<podium_store::Share> {
        self.store().share_by_token(&hash(token)).await.map_err(|error| match error {
            podium_store::Error::NotFound { .. } => Error::NotFound { what: "a report under this link".to_owned() },
            other => other.into(),
        })
    }

    async fn with_shares(&self, report: podium_store::Report) -> Result<ReportView> {
        let shares = self.store().shares(report.id).await?;
        Ok(ReportView { shares: shares.iter().map(share_view).collect(), ..view(report)? })
    }
}

fn view(report: podium_store::Report) -> Result<ReportView> {
    let model: Report = serde_json::from_value(report.model).map_err(Error::internal)?;
    Ok(ReportView {
        id: report.id,
        run_id: report.run_id,
        created_at: report.created_at,
        report: model,
        shares: vec![],
    })
}

fn share_view(share: &podium_store::Share) -> ShareView {
    ShareView {
        id: share.id,
        created_at: share.created_at,
        expires_at: share.expires_at,
        revoked_at: share.revoked_at,
        include_private: share.include_private,
        has_password: share.password_hash.is_some(),
    }
}

/// What a browser shows instead of the password. The hash of a password is random and never leaves the database, so that
/// nobody else can make this up.
fn key_of(token: &str, password_hash: &str) -> String {
    let digest = hash(&format!("{password_hash}\n{token}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
