//! Reports and the links that share them.

use podium_domain::report::Report;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::views::{NewShare, ReportView, ShareView};

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
    pub async fn share_report(&self, caller: Caller, report_id: Uuid, include_private: bool) -> Result<NewShare> {
        caller.require(Role::Runner)?;
        self.store().report(report_id).await?;
        let token = new_token();
        let new = podium_store::NewShare {
            report_id,
            token_sha256: hash(&token),
            include_private,
            expires_at: None,
            created_by: caller.person,
        };
        let share = share_view(&self.store().create_share(&new).await?);
        let detail = serde_json::json!({ "share": share.id, "include_private": include_private });
        self.audit(caller, "report.share", format!("report {report_id}"), detail).await?;
        Ok(NewShare { share, token })
    }

    /// Revokes a link: it shows nothing from now on.
    pub async fn revoke_share(&self, caller: Caller, share_id: Uuid) -> Result<()> {
        caller.require(Role::Runner)?;
        self.store().revoke_share(share_id).await?;
        self.audit(caller, "report.unshare", format!("share {share_id}"), serde_json::json!({})).await
    }

    /// What a link shows. The token is the right; there is no caller.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token that is unknown, revoked or expired, without saying which.
    pub async fn shared_report(&self, token: &str) -> Result<ReportView> {
        let share = self.store().share_by_token(&hash(token)).await.map_err(|error| match error {
            podium_store::Error::NotFound { .. } => Error::NotFound { what: "a report under this link".to_owned() },
            other => other.into(),
        })?;
        let mut view = view(self.store().report(share.report_id).await?)?;
        if !share.include_private {
            view.report = view.report.redacted().map_err(Error::internal)?;
        }
        Ok(view)
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
    }
}

/// 244 random bits in hexadecimal: not to be guessed.
fn new_token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
