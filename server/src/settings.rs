//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Settings of a server, resolved from flags and environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether people have to sign in even where only this machine is listened to.
    pub accounts: bool,
    /// Where browsers reach Podium, if that is not the address itself.
    pub public_url: Option<PublicUrl>,
    /// The folder with the built site; `None` looks beside the executable.
    pub site_dir: Option<PathBuf>,
}

impl Settings {
    /// Whether people have to sign in: always where another machine can reach the server.
    #[must_use]
    pub fn demands_accounts(&self) -> bool {
        self.accounts || !self.listen.ip().is_loopback()
    }

    /// Where a person opens Podium, given the address that it got.
    #[must_use]
    pub fn base_url(&self, address: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.origin(),
            None if address.ip().is_unspecified() => {
                format!("http://{}:{}", podium_launcher::host_name(), address.port())
            }
            None => format!("http://{address}"),
        }
    }
}

/// Scheme and authority of Podium's public address, for example `https://podium.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: &'static str,
    authority: String,
}

impl PublicUrl {
    /// Reads it.
    ///
    /// # Errors
    /// With a sentence, for text that is no such address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address such as https://podium.example.org, without a path");
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let scheme = match uri.scheme_str() {
            Some("https") => "https",
            Some("http") => "http",
            _ => return Err(wrong()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        Ok(Self { scheme, authority: authority.as_str().to_owned() })
    }

    /// Whether browsers reach Podium by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Host and port, as browsers send it in `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// As browsers send it in `Origin`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str, accounts: bool) -> Settings {
        Settings { listen: listen.parse().expect("an address"), accounts, public_url: None, site_dir: None }
    }

    #[test]
    fn other_machines_are_let_in_by_accounts_alone() {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
            assert!(settings(listen, false).demands_accounts(), "{listen}");
        }
        assert!(!settings("127.0.0.1:0", false).demands_accounts());
        assert!(settings("127.0.0.1:0", true).demands_accounts());
    }

    #[test]
    fn a_public_address_is_a_scheme_and_a_name() {
        let url = PublicUrl::parse("https://podium.example:8443/").expect("an address");
        assert!(url.is_https());
        assert_eq!((url.authority(), url.origin().as_str()), ("podium.example:8443", "https://podium.example:8443"));
        for wrong in
            ["podium.example", "ftp://podium.example", "https://podium.example/x", "https://a@b", "", "https://"]
        {
            assert!(PublicUrl::parse(wrong).is_err(), "{wrong}");
        }
        let at = "0.0.0.0:80".parse().expect("an address");
        assert!(!settings("0.0.0.0:80", false).base_url(at).contains("0.0.0.0"));
    }
}
