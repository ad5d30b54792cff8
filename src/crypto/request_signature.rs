//! AWS's Signature Version 4, as a client makes it.
//!
//! Sources: IAM User Guide, "Create a signed AWS API request"; Amazon S3 API Reference, "Authenticating
//! Requests: Using the Authorization Header".

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::digest;
use super::mac::{MacHash, mac};

/// What AWS knows a caller by. Wiped; not printed.
pub struct AwsCredentials {
    /// The access key id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Zeroizing<String>,
    /// Of temporary credentials.
    pub session_token: Option<Zeroizing<String>>,
}

/// Without secret and token.
impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AwsCredentials").field(&self.access_key_id).finish()
    }
}

/// A request, as far as it is signed.
#[derive(Debug)]
pub struct ToSign<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it is sent: encoded once ([`encoded_path`]), as S3 wants it.
    pub path: &'a str,
    /// The query in its one order and form ([`query`]).
    pub query: &'a str,
    /// All headers that are signed, in lower case: `host` and `x-amz-date` among them.
    pub headers: &'a BTreeMap<&'a str, &'a str>,
    /// The whole body.
    pub body: &'a [u8],
}

impl ToSign<'_> {
    /// The value of the header `authorization`.
    #[must_use]
    pub fn authorization(
        &self,
        credentials: &AwsCredentials,
        region: &str,
        service: &str,
    ) -> String {
        let names = self.headers.keys().copied().collect::<Vec<_>>().join(";");
        let time = self.headers.get("x-amz-date").copied().unwrap_or_default();
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let hash = hex::encode(digest::sha256(&[self.canonical(&names).as_bytes()]));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let secret = Zeroizing::new(format!("AWS4{}", credentials.secret_access_key.as_str()));
        let mut key = Zeroizing::new(secret.as_bytes().to_vec());
        for part in [day, region, service, "aws4_request", &to_sign] {
            key = Zeroizing::new(mac(MacHash::Sha256, &key, part.as_bytes()));
        }
        let (id, signature) = (&credentials.access_key_id, hex::encode(&*key));
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
    }

    fn canonical(&self, names: &str) -> String {
        let mut lines = String::new();
        for (name, value) in self.headers {
            let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(lines, "{name}:{value}");
        }
        let (method, path, query) = (self.method, self.path, self.query);
        let hash = hex::encode(digest::sha256(&[self.body]));
        format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{hash}")
    }
}

/// A time as `x-amz-date` has it.
#[must_use]
pub fn amz_date(time: DateTime<Utc>) -> String {
    time.format("%Y%m%dT%H%M%SZ").to_string()
}

/// A path whose segments may hold anything; slashes stay.
#[must_use]
pub fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// Names and values in the order and form that are signed, which is one that can be sent.
#[must_use]
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> =
        pairs.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Everything encoded but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: &str, token: Option<&str>) -> AwsCredentials {
        AwsCredentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: secret.to_owned().into(),
            session_token: token.map(|token| token.to_owned().into()),
        }
    }

    /// Made with `botocore` 1.44's `SigV4Auth` (`add_auth` of the same request at the same time).
    #[test]
    fn the_signature_is_botocores() {
        let credentials =
            credentials("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Some("a/token=="));
        let headers = BTreeMap::from([
            ("content-type", "application/x-amz-json-1.1"),
            ("host", "kms.us-east-1.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            ("x-amz-security-token", "a/token=="),
            ("x-amz-target", "TrentService.GenerateDataKey"),
        ]);
        let body = br#"{"KeyId":"alias/app"}"#;
        let to_sign = ToSign { method: "POST", path: "/", query: "", headers: &headers, body };
        let found = to_sign.authorization(&credentials, "us-east-1", "kms");
        assert_eq!(found, SIGNED);
        assert!(!format!("{credentials:?}").contains("wJalr"));
    }

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/kms/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
        Signature=4c20ba8def37c765a0c22b93f75d3acdca2c8f18ee2a1b0514e7ad731c732ec1";

    /// Method, path, query, further headers, body, signature.
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], &'a str);

    /// The four examples of "Authenticating Requests: Using the Authorization Header".
    #[test]
    fn the_signatures_are_those_of_s3s_examples() {
        let credentials = credentials("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
        let lifecycle = query(&[("lifecycle", "")]);
        let list = query(&[("prefix", "J"), ("max-keys", "2")]);
        let put = encoded_path("/test$file.text");
        let range = [("range", "bytes=0-9")];
        let written = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        let cases: [Case<'_>; 4] = [
            (
                "GET",
                "/test.txt",
                "",
                &range,
                b"",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                &put,
                "",
                &written,
                b"Welcome to Amazon S3.",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/",
                &lifecycle,
                &[],
                b"",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/",
                &list,
                &[],
                b"",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ];
        for (method, path, query, more, body, signature) in cases {
            let hash = hex::encode(digest::sha256(&[body]));
            let mut headers = BTreeMap::from([
                ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", &hash),
                ("x-amz-date", "20130524T000000Z"),
            ]);
            headers.extend(more.iter().copied());
            let to_sign = ToSign { method, path, query, headers: &headers, body };
            let mut credentials = AwsCredentials {
                session_token: None,
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret_access_key: credentials.secret_access_key.clone(),
            };
            let found = to_sign.authorization(&credentials, "us-east-1", "s3");
            assert!(found.ends_with(signature), "{method} {path}?{query}: {found}");
            credentials.secret_access_key.push('x');
            assert!(!to_sign.authorization(&credentials, "us-east-1", "s3").ends_with(signature));
        }
    }

    #[test]
    fn whatever_a_name_holds_is_encoded_once() {
        assert_eq!(encoded_path("/b/a b//../é+%2F~"), "/b/a%20b//../%C3%A9%2B%252F~");
        assert_eq!(query(&[("b", "x/y"), ("a", ""), ("a-", "&=")]), "a=&a-=%26%3D&b=x%2Fy");
    }
}
