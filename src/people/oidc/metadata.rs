//! What a provider says of itself (OpenID Connect Discovery 1.0).

use serde::Deserialize;

/// What a provider says of itself, as far as it is needed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metadata {
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where a code is exchanged for tokens.
    pub token_endpoint: String,
    /// Where the keys of the signatures are.
    pub jwks_uri: String,
    /// Where the client secret is put in a request for tokens.
    pub secret_place: SecretPlace,
    /// Whether answers name the issuer (RFC 9207).
    pub names_issuer: bool,
}

/// Where the client secret is put in a request for tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretPlace {
    /// In the header `Authorization`.
    Header,
    /// In the form.
    Form,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// The address of the document of `issuer`.
    #[must_use]
    pub fn address(issuer: &str) -> String {
        let issuer = issuer.trim_end_matches('/');
        format!("{issuer}/.well-known/openid-configuration")
    }

    /// Reads the document of `issuer`.
    ///
    /// # Errors
    /// Why it cannot be used: a clause without a full stop.
    pub fn parse(document: &[u8], issuer: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(document)
            .map_err(|error| format!("the discovery document cannot be read: {error}"))?;
        if document.issuer != issuer {
            let theirs = &document.issuer;
            return Err(format!(
                "the discovery document is that of the issuer {theirs:?}; write exactly that in \
                 `issuer` if it is right"
            ));
        }
        for (name, address) in [
            ("authorization_endpoint", &document.authorization_endpoint),
            ("token_endpoint", &document.token_endpoint),
            ("jwks_uri", &document.jwks_uri),
        ] {
            // Only an issuer on this machine can be without TLS (`config::login`).
            if !address.starts_with("https://") && issuer.starts_with("https://") {
                return Err(format!("the {name} {address:?} does not use https"));
            }
        }
        let challenges = document.code_challenge_methods_supported;
        if challenges.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err("the provider does not support PKCE with S256".to_owned());
        }
        // The default of the specification is the header.
        let methods = document.token_endpoint_auth_methods_supported;
        let has = |name: &str| {
            let methods = methods.iter().flatten();
            methods.clone().any(|method| method == name)
        };
        let is_form = has("client_secret_post") && !has("client_secret_basic");
        Ok(Self {
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            jwks_uri: document.jwks_uri,
            secret_place: match is_form {
                true => SecretPlace::Form,
                false => SecretPlace::Header,
            },
            names_issuer: document.authorization_response_iss_parameter_supported,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://id.example/realm";

    fn document() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example/auth",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://id.example/keys",
        })
    }

    fn parse(document: &Value) -> Result<Metadata, String> {
        Metadata::parse(document.to_string().as_bytes(), ISSUER)
    }

    #[test]
    fn lgn_04_discovery_asks_below_the_issuer() {
        for issuer in [ISSUER, "https://id.example/realm/"] {
            let expected = "https://id.example/realm/.well-known/openid-configuration";
            assert_eq!(Metadata::address(issuer), expected);
        }
    }

    #[test]
    fn lgn_04_the_document_must_be_that_of_the_issuer_and_use_https() {
        assert!(parse(&document()).is_ok());
        for (key, value, expected) in [
            (
                "issuer",
                json!("https://evil.example"),
                "https://evil.example",
            ),
            (
                "token_endpoint",
                json!("http://id.example/token"),
                "does not use https",
            ),
            (
                "jwks_uri",
                json!("http://id.example/keys"),
                "does not use https",
            ),
            ("jwks_uri", json!(null), "cannot be read"),
            (
                "code_challenge_methods_supported",
                json!(["plain"]),
                "PKCE with S256",
            ),
        ] {
            let mut document = document();
            document[key] = value;
            let error = parse(&document).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn lgn_04_the_secret_is_in_the_form_only_if_the_provider_takes_no_header() {
        for (methods, place) in [
            (json!(null), SecretPlace::Header),
            (json!(["client_secret_post"]), SecretPlace::Form),
            (
                json!(["client_secret_post", "client_secret_basic"]),
                SecretPlace::Header,
            ),
        ] {
            let mut document = document();
            document["token_endpoint_auth_methods_supported"] = methods;
            assert_eq!(parse(&document).unwrap().secret_place, place);
        }
    }
}
