//! The choice of an encryption, as the wizard and buckets' forms ask for it: the type, for KMS the key (one
//! of the reader's own, one by its ARN, or a new one), and the bucket key.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use maud::{Markup, html};

use super::fields::Fields;
use super::frame::beside;
use super::refused::Refused;
use super::text;
use super::visit::Visit;
use crate::kms::{
    CreateAlias, CreateKey, DescribeKey, KeyMetadata, KeyState, ListAliases, ListKeys,
};
use crate::objects::EncryptionRule;
use crate::sse::{Header, Mode};

/// What is wrong with a form: the field, and words.
pub(super) type Wrong = Vec<(&'static str, String)>;

/// An encryption that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// None leaves objects in clear.
    pub(super) mode: Option<Mode>,
    /// With KMS: the key's ARN, or any name that a bucket's rule has; none for `aws/s3`.
    pub(super) key: Option<String>,
    /// With SSE-KMS.
    pub(super) bucket_key: bool,
}

impl Choice {
    /// A bucket's default.
    pub(super) fn of_rule(rule: &EncryptionRule) -> Self {
        let mode = rule.algorithm.as_deref().and_then(Mode::from_header_value);
        Self { mode, key: rule.key_id.clone(), bucket_key: rule.bucket_key }
    }

    /// As a bucket's default. What is blocked is kept.
    pub(super) fn rule(&self, blocked: Vec<String>) -> EncryptionRule {
        let algorithm = self.mode.and_then(Mode::header_value).map(str::to_owned);
        let (key_id, bucket_key) = (self.key.clone(), self.bucket_key);
        EncryptionRule { algorithm, key_id, bucket_key, blocked }
    }

    /// As the headers of a request.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let Some(mode) = self.mode.and_then(Mode::header_value) else { return Vec::new() };
        let mut headers = vec![(Header::Mode.name(), mode.to_owned())];
        if let Some(key) = &self.key {
            headers.push((Header::KeyId.name(), key.clone()));
        }
        if self.mode == Some(Mode::Kms) {
            headers.push((Header::BucketKey.name(), self.bucket_key.to_string()));
        }
        headers
    }

    /// In hidden fields, from which [`Self::of_hidden`] reads it.
    pub(super) fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="mode" value=(self.mode.and_then(Mode::header_value).unwrap_or_default());
            input type="hidden" name="key_arn" value=(self.key.as_deref().unwrap_or_default());
            @if self.bucket_key { input type="hidden" name="with_bucket_key" value="true"; }
        }
    }

    /// None for what no page of ours has.
    pub(super) fn of_hidden(fields: &Fields) -> Option<Self> {
        let mode = Some(Mode::from_header_value(fields.text("mode"))?);
        let bucket_key = mode == Some(Mode::Kms) && fields.text("with_bucket_key") == "true";
        let key = fields.given("key_arn").filter(|_| mode != Some(Mode::S3));
        Some(Self { mode, key, bucket_key })
    }

    /// As rows of a table of settings.
    pub(super) fn rows(&self) -> Markup {
        html! {
            tr { th scope="row" { "Encryption type" } td { (text::badge(self.mode)) } }
            @if matches!(self.mode, Some(Mode::Kms | Mode::Dsse)) {
                tr {
                    th scope="row" { "KMS key" }
                    td { @match &self.key { Some(key) => code { (text::shown(key)) }, None => "aws/s3" } }
                }
            }
            @if self.mode == Some(Mode::Kms) {
                tr {
                    th scope="row" { "Bucket key" }
                    td { @if self.bucket_key { "Enabled" } @else { "Disabled" } }
                }
            }
        }
    }
}

/// A KMS key that can be chosen, or is shown because it cannot.
pub(super) struct Offered {
    arn: String,
    alias: Option<String>,
    state: KeyState,
}

/// The reader's keys in a region that can seal objects: symmetric ones among the first hundred.
pub(super) async fn offered(visit: &Visit, region: &str) -> Result<Vec<Offered>, Refused> {
    let listed = visit.ask_in(region, ListKeys { limit: Some(100), ..Default::default() }).await?;
    let aliases = aliases(visit, region).await;
    let described = listed.entries.iter().map(|entry| {
        visit.ask_in(
            region,
            DescribeKey { key_id: entry.key_arn.as_str().into(), ..Default::default() },
        )
    });
    let described = join_all(described).await.into_iter().flatten();
    let fit = described.filter(|key| seals_objects(key) && key.key_manager == "CUSTOMER");
    let offered = fit.map(|key| Offered {
        alias: aliases.get(&key.key_id).and_then(|names| names.first()).cloned(),
        arn: key.arn,
        state: key.key_state,
    });
    Ok(offered.collect())
}

/// Names of keys by their ids, as far as the reader may see them.
pub(super) async fn aliases(visit: &Visit, region: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut marker = None;
    for _ in 0..PAGES {
        let request = ListAliases { limit: Some(100), marker, ..Default::default() };
        let Ok(page) = visit.ask_in(region, request).await else { break };
        for entry in page.entries {
            if let Some(id) = entry.target_key_id {
                found.entry(id).or_default().push(entry.alias_name);
            }
        }
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    found
}

fn seals_objects(key: &KeyMetadata) -> bool {
    key.key_spec.as_str() == "SYMMETRIC_DEFAULT" && key.key_usage.as_str() == "ENCRYPT_DECRYPT"
}

/// What a form says. A key that is to be made is made, once nothing else is wrong.
pub(super) async fn read(visit: &Visit, region: &str, may_be_off: bool) -> Result<Choice, Wrong> {
    let fields = &visit.fields;
    let mode = match fields.text("encryption") {
        "off" if may_be_off => None,
        "s3" => Some(Mode::S3),
        "kms" => Some(Mode::Kms),
        "dsse" => Some(Mode::Dsse),
        _ => return Err(vec![("encryption", "Choose an encryption type.".to_owned())]),
    };
    if !matches!(mode, Some(Mode::Kms | Mode::Dsse)) {
        return Ok(Choice { mode, key: None, bucket_key: false });
    }
    let bucket_key = mode == Some(Mode::Kms) && fields.text("bucket_key") != "disable";
    let (field, key) = match fields.text("key_source") {
        "choose" => match fields.text("kms_key") {
            "" => return Err(vec![("kms_key", "Choose a KMS key.".to_owned())]),
            MANAGED => return Ok(Choice { mode, key: None, bucket_key }),
            key => ("kms_key", key.to_owned()),
        },
        "arn" => ("kms_arn", fields.text("kms_arn").trim().to_owned()),
        "create" => {
            let alias = fields.given("new_alias");
            let made = create_key(visit, region, alias.as_deref(), "Made in the console").await;
            let arn = made.map_err(|refused| vec![("new_alias", words(&refused))])?;
            return Ok(Choice { mode, key: Some(arn), bucket_key });
        }
        _ => return Err(vec![("key_source", "Say which KMS key.".to_owned())]),
    };
    match check(visit, region, &key).await {
        Ok(()) => Ok(Choice { mode, key: Some(key), bucket_key }),
        Err(wrong) => Err(vec![(field, wrong)]),
    }
}

/// Whether a key can seal objects of a region, as far as the reader may know it.
async fn check(visit: &Visit, region: &str, arn: &str) -> Result<(), String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, "kms", of, _, resource] = parts.as_slice() else { return Err(NO_ARN.to_owned()) };
    if !arn.starts_with("arn:") || !resource.starts_with("key/") {
        return Err(NO_ARN.to_owned());
    }
    if *of != region {
        return Err(format!("That key is in {of}; the bucket is in {region}."));
    }
    let request = DescribeKey { key_id: arn.into(), ..Default::default() };
    match visit.ask_in(region, request).await {
        Ok(key) if !seals_objects(&key) => {
            Err("That key is not a symmetric key for encryption.".to_owned())
        }
        Ok(key) if key.key_state != KeyState::Enabled => {
            Err(format!("That key cannot be used: its state is {}.", key.key_state.as_str()))
        }
        // It may be used without being described; S3 will say.
        Err(refused) if refused.is_denial() => Ok(()),
        Err(refused) => Err(words(&refused)),
        Ok(_) => Ok(()),
    }
}

/// Makes a symmetric key, with an alias if it is to have one.
pub(super) async fn create_key(
    visit: &Visit,
    region: &str,
    alias: Option<&str>,
    description: &str,
) -> Result<String, Refused> {
    let description = Some(description.to_owned()).filter(|text| !text.is_empty());
    let made = visit.ask_in(region, CreateKey { description, ..Default::default() }).await?;
    if let Some(alias) = alias {
        let name = alias.strip_prefix("alias/").unwrap_or(alias);
        let alias_name = format!("alias/{name}").into();
        let request = CreateAlias { alias_name, target_key_id: made.key_id.as_str().into() };
        visit.ask_in(region, request).await.map_err(|refused| Refused {
            message: format!(
                "The key {} was made, but not its alias: {}",
                made.arn, refused.message
            ),
            ..refused
        })?;
    }
    Ok(made.arn)
}

fn words(refused: &Refused) -> String {
    format!("{}: {}", refused.code, refused.message)
}

/// A form's part that asks for an encryption.
pub(super) struct Asking<'a> {
    /// What was said before, if the form is shown again.
    pub(super) fields: &'a Fields,
    /// What is proposed otherwise.
    pub(super) proposed: &'a Choice,
    /// Or why the reader's keys cannot be listed.
    pub(super) keys: Result<Vec<Offered>, Refused>,
    pub(super) may_be_off: bool,
    pub(super) wrong: &'a Wrong,
}

impl Asking<'_> {
    fn said(&self, name: &str, value: &str, otherwise: bool) -> bool {
        match self.fields.text(name) {
            "" => otherwise,
            said => said == value,
        }
    }

    fn is_wrong(&self, field: &str) -> Option<&'static str> {
        self.wrong.iter().any(|(of, _)| *of == field).then_some("true")
    }

    fn described(&self, field: &str) -> Option<String> {
        self.is_wrong(field).map(|_| format!("{field}-wrong"))
    }

    pub(super) fn markup(&self) -> Markup {
        let types = [
            ("off", None, "Off: objects are not encrypted", OFF),
            ("s3", Some(Mode::S3), "SSE-S3: Amazon S3 managed keys", ""),
            ("kms", Some(Mode::Kms), "SSE-KMS: AWS Key Management Service keys", ""),
            ("dsse", Some(Mode::Dsse), "DSSE-KMS: dual-layer encryption with AWS KMS keys", ""),
        ];
        html! {
            fieldset #encryption tabindex="-1" {
                legend { "Encryption type" }
                (beside(self.wrong, "encryption"))
                @for (value, mode, label, about) in types.iter().filter(|it| it.1.is_some() || self.may_be_off) {
                    @let id = format!("encryption-{value}");
                    div.option {
                        input type="radio" name="encryption" id=(id) value=(value) required
                            checked[self.said("encryption", value, *mode == self.proposed.mode)]
                            aria-describedby=[(!about.is_empty()).then(|| format!("{id}-about"))];
                        label for=(id) { (label) }
                        @if !about.is_empty() { p.hint id={ (id) "-about" } { (about) } }
                    }
                }
            }
            (self.key())
            fieldset.with-bucket-key {
                legend { "Bucket key (SSE-KMS only)" }
                p.hint { "A bucket key serves many objects, so that KMS is asked less often." }
                @for (value, label) in [("enable", "Enable"), ("disable", "Disable")] {
                    @let id = format!("bucket_key-{value}");
                    @let proposed = match self.proposed.mode {
                        Some(Mode::Kms) => self.proposed.bucket_key == (value == "enable"),
                        _ => value == "enable",
                    };
                    div.option {
                        input type="radio" name="bucket_key" id=(id) value=(value)
                            checked[self.said("bucket_key", value, proposed)];
                        label for=(id) { (label) }
                    }
                }
            }
        }
    }

    fn key(&self) -> Markup {
        let proposed = self.proposed.key.as_deref().unwrap_or_default();
        let listed = self.keys.as_ref().map_or(&[][..], Vec::as_slice);
        let is_listed = proposed.is_empty() || listed.iter().any(|key| key.arn == proposed);
        let chosen = match self.fields.text("kms_key") {
            "" if proposed.is_empty() && self.proposed.mode == Some(Mode::Kms) => MANAGED,
            "" => proposed,
            said => said,
        };
        let sources = [
            ("choose", "Choose from your AWS KMS keys", is_listed),
            ("arn", "Enter AWS KMS key ARN", !is_listed),
            ("create", "Create a KMS key", false),
        ];
        let source = |at: usize| {
            let (value, label, otherwise) = sources.get(at).copied().unwrap_or_default();
            html! {
                div.option {
                    input type="radio" name="key_source" id={ "key_source-" (value) } value=(value)
                        checked[self.said("key_source", value, otherwise)];
                    label for={ "key_source-" (value) } { (label) }
                }
            }
        };
        html! {
            fieldset.with-kms #key_source tabindex="-1" {
                legend { "AWS KMS key (SSE-KMS and DSSE-KMS)" }
                (beside(self.wrong, "key_source"))
                (source(0))
                div.field.nested {
                    label for="kms_key" { "Available AWS KMS keys" }
                    select #kms_key name="kms_key" aria-invalid=[self.is_wrong("kms_key")]
                        aria-describedby=[self.described("kms_key")] {
                        option value="" { "Choose a key" }
                        option value=(MANAGED) selected[chosen == MANAGED] { "aws/s3 (AWS managed key)" }
                        @for key in listed {
                            @let enabled = key.state == KeyState::Enabled;
                            option value=(key.arn) selected[chosen == key.arn] disabled[!enabled] {
                                @if let Some(alias) = &key.alias { (alias) " " }
                                (key.arn.rsplit('/').next().unwrap_or_default())
                                @if !enabled { " (" (key.state.as_str()) ": cannot be chosen)" }
                            }
                        }
                    }
                    (beside(self.wrong, "kms_key"))
                    @if let Err(refused) = &self.keys {
                        p.hint { "Your keys cannot be listed: " (refused.brief()) }
                    }
                }
                (source(1))
                div.field.nested {
                    label for="kms_arn" { "AWS KMS key ARN" }
                    @let arn = if is_listed { "" } else { proposed };
                    input #kms_arn name="kms_arn" size="80" autocomplete="off" spellcheck="false"
                        value=(self.fields.given("kms_arn").as_deref().unwrap_or(arn))
                        placeholder="arn:aws:kms:us-east-1:111122223333:key/…"
                        aria-invalid=[self.is_wrong("kms_arn")] aria-describedby=[self.described("kms_arn")];
                    (beside(self.wrong, "kms_arn"))
                }
                (source(2))
                div.field.nested {
                    label for="new_alias" { "Alias of the new key (optional)" }
                    input #new_alias name="new_alias" autocomplete="off" spellcheck="false" maxlength="250"
                        value=(self.fields.text("new_alias")) aria-invalid=[self.is_wrong("new_alias")]
                        aria-describedby=[Some(self.described("new_alias").unwrap_or_else(|| "new_alias-about".to_owned()))];
                    p.hint #new_alias-about { "A symmetric key is made in the bucket's region when you continue." }
                    (beside(self.wrong, "new_alias"))
                }
            }
        }
    }
}

/// The value of the AWS managed key in the list.
const MANAGED: &str = "aws/s3";
/// Pages of aliases that are read at the most.
const PAGES: usize = 10;
const NO_ARN: &str = "That is no key's ARN: it is like arn:aws:kms:us-east-1:111122223333:key/….";
const OFF: &str = "AWS has had no such buckets since January 2023: there, every new object is encrypted. Here it \
                   stands in for objects from before, so that there is something to find and to encrypt.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_says_the_same_in_fields_headers_and_rules() {
        let key = Some("arn:aws:kms:us-east-1:000000000000:key/k".to_owned());
        let kms = Choice { mode: Some(Mode::Kms), key: key.clone(), bucket_key: true };
        for choice in [
            kms.clone(),
            Choice { mode: Some(Mode::Dsse), key, bucket_key: false },
            Choice { mode: Some(Mode::Kms), key: None, bucket_key: false },
            Choice { mode: Some(Mode::S3), key: None, bucket_key: false },
        ] {
            assert_eq!(Choice::of_rule(&choice.rule(Vec::new())), choice);
            let html = choice.hidden().into_string();
            let mut fields = Fields::default();
            let pairs: Vec<_> = html
                .split("<input")
                .skip(1)
                .map(|input| {
                    let value = |name: &str| {
                        input
                            .split(&format!(" {name}=\""))
                            .nth(1)
                            .unwrap()
                            .split('"')
                            .next()
                            .unwrap()
                    };
                    (value("name"), value("value"))
                })
                .collect();
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            fields.read(text.as_bytes());
            assert_eq!(Choice::of_hidden(&fields), Some(choice));
        }
        let wanted = [
            ("x-amz-server-side-encryption", "aws:kms"),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                "arn:aws:kms:us-east-1:000000000000:key/k",
            ),
            ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
        ];
        assert_eq!(kms.headers(), wanted.map(|(name, value)| (name, value.to_owned())));
        let mut fields = Fields::default();
        fields.read(b"mode=off&key_arn=x");
        assert_eq!(Choice::of_hidden(&fields), None);
    }
}
