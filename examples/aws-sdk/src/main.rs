//! The AWS SDK for Rust against a running strongroom: a KMS key's whole life, every answer checked.
//!
//! Settings are the SDK's own: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, or a profile that has them. Without an endpoint nothing is called, so
//! that no key is made at AWS by mistake. Another account calls once, as `OTHER_ACCESS_KEY_ID` with
//! `OTHER_SECRET_ACCESS_KEY`; a server without a credentials file takes the defaults, as 12 digits
//! are the account and any secret will do.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::process::ExitCode;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::Credentials;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::operation::RequestId;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeySpec, KeyState, KeyUsageType, SigningAlgorithmSpec};
use zeroize::Zeroizing;

/// Whatever ends the run early: an SDK error with its chain, or a sentence.
type Surprise = Box<dyn Error + Send + Sync>;

/// What lies beside the data: everything that opening needs, except the key.
struct Envelope {
    wrapped_data_key: Blob,
    key_material_id: Option<String>,
    nonce: Nonce,
    sealed: Vec<u8>,
}

/// The encryption context's one pair. It binds the data key, and the bytes as associated data.
const CONTEXT: (&str, &str) = ("case", "7");
const PLAN: &[u8] = b"the plan: meet at the old mill at noon";
const NO_ENDPOINT: &str = "no endpoint: run `strongroom serve --ephemeral`, then set \
                           AWS_ENDPOINT_URL=http://127.0.0.1:4566 (README.md has the commands)";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Err(surprise) = life().await else {
        println!("all as expected");
        return ExitCode::SUCCESS;
    };
    eprint!("surprise: {surprise}");
    let mut cause = surprise.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
    ExitCode::FAILURE
}

async fn life() -> Result<(), Surprise> {
    let settings = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let endpoint = settings.endpoint_url().ok_or(NO_ENDPOINT)?;
    let region = settings.region().ok_or("no region: set AWS_REGION, for instance to eu-west-1")?;
    println!("endpoint        {endpoint} in {region}");
    let kms = Client::new(&settings);

    let (key_id, key_arn) = create_key(&kms).await?;
    let alias = format!("alias/aws-sdk-{key_id}");
    kms.create_alias().alias_name(&alias).target_key_id(&key_id).send().await?;
    let named = kms.describe_key().key_id(&alias).send().await?;
    assert_eq!(named.key_metadata().and_then(|key| key.arn()), Some(key_arn.as_str()));
    println!("alias           {alias}");

    let envelope = seal(&kms, &alias).await?;
    rotate(&kms, &key_id, &envelope).await?;
    open(&kms, &key_arn, envelope).await?;
    sign(&kms).await?;
    deny(&settings, &key_arn).await?;
    delete(&kms, &key_id, &alias).await
}

async fn create_key(kms: &Client) -> Result<(String, String), Surprise> {
    let created = kms.create_key().description("the AWS SDK's example").send().await?;
    assert!(created.request_id().is_some(), "{created:?}");
    let key = created.key_metadata.ok_or("a key without metadata")?;
    assert_eq!(key.key_state(), Some(&KeyState::Enabled));
    let arn = key.arn.ok_or("a key without an ARN")?;
    println!("key             {arn}");
    Ok((key.key_id, arn))
}

/// Envelope encryption: a data key seals the bytes here, and is kept in its wrapped form alone.
async fn seal(kms: &Client, alias: &str) -> Result<Envelope, Surprise> {
    let generate = kms.generate_data_key().key_id(alias).key_spec(DataKeySpec::Aes256);
    let made = generate.encryption_context(CONTEXT.0, CONTEXT.1).send().await?;
    let data_key = wiped(made.plaintext)?;
    let mut sealed = PLAN.to_vec();
    let sealing_key = RandomizedNonceKey::new(&AES_256_GCM, &data_key)?;
    let nonce = sealing_key.seal_in_place_append_tag(Aad::from(CONTEXT.1), &mut sealed)?;
    println!("sealed          {} bytes with a data key, now wiped", PLAN.len());
    Ok(Envelope {
        wrapped_data_key: made.ciphertext_blob.ok_or("no wrapped data key")?,
        key_material_id: made.key_material_id,
        nonce,
        sealed,
    })
}

/// New key material for new data keys; what the old wrapped stays readable.
async fn rotate(kms: &Client, key_id: &str, before: &Envelope) -> Result<(), Surprise> {
    kms.rotate_key_on_demand().key_id(key_id).send().await?;
    let rotations = kms.list_key_rotations().key_id(key_id).send().await?;
    assert_eq!(rotations.rotations().len(), 1, "{rotations:?}");
    let generate = kms.generate_data_key_without_plaintext().key_id(key_id);
    let after = generate.key_spec(DataKeySpec::Aes256).send().await?;
    assert!(before.key_material_id.is_some() && after.key_material_id.is_some());
    assert_ne!(before.key_material_id, after.key_material_id, "the material is still the old one");
    println!("rotated         on demand, to new key material");
    Ok(())
}

/// The old data key comes back with its context, and with no other.
async fn open(kms: &Client, key_arn: &str, envelope: Envelope) -> Result<(), Surprise> {
    let unwrap = kms.decrypt().ciphertext_blob(envelope.wrapped_data_key);
    let answer = unwrap.clone().encryption_context(CONTEXT.0, CONTEXT.1).send().await?;
    assert_eq!(answer.key_id(), Some(key_arn));
    assert_eq!(answer.key_material_id, envelope.key_material_id);
    let data_key = wiped(answer.plaintext)?;
    let mut bytes = envelope.sealed;
    let opening_key = RandomizedNonceKey::new(&AES_256_GCM, &data_key)?;
    let opened = opening_key.open_in_place(envelope.nonce, Aad::from(CONTEXT.1), &mut bytes)?;
    assert_eq!(opened, PLAN);
    println!("opened          {:?}", String::from_utf8_lossy(opened));

    let wrong = unwrap.encryption_context(CONTEXT.0, "8").send().await;
    let error = refusal(wrong)?.into_service_error();
    assert!(error.is_invalid_ciphertext_exception(), "{error:?}");
    println!("wrong context   {}", said(&error));
    Ok(())
}

/// A signature made there is verified here, with the public key as DER.
async fn sign(kms: &Client) -> Result<(), Surprise> {
    let create = kms.create_key().key_spec(KeySpec::EccNistP256);
    let created = create.key_usage(KeyUsageType::SignVerify).send().await?;
    let key_id = created.key_metadata.ok_or("a key pair without metadata")?.key_id;
    let algorithm = SigningAlgorithmSpec::EcdsaSha256;
    let request = kms.sign().key_id(&key_id).signing_algorithm(algorithm.clone());
    let signed = request.message(Blob::new(PLAN)).send().await?;
    let signature = signed.signature.ok_or("no signature")?;

    let public = kms.get_public_key().key_id(&key_id).send().await?;
    assert!(public.signing_algorithms().contains(&algorithm), "{public:?}");
    let der = public.public_key.ok_or("no public key")?;
    let public_key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der.as_ref());
    public_key.verify(PLAN, signature.as_ref())?;
    assert!(public_key.verify(b"another plan", signature.as_ref()).is_err());
    kms.schedule_key_deletion().key_id(&key_id).pending_window_in_days(7).send().await?;
    println!("signed          by {key_id}, verified here with its public key");
    Ok(())
}

/// Another account names the key by its ARN, which its key policy does not allow.
async fn deny(settings: &SdkConfig, key_arn: &str) -> Result<(), Surprise> {
    let access_key_id = variable("OTHER_ACCESS_KEY_ID", "444455556666");
    let secret = variable("OTHER_SECRET_ACCESS_KEY", "any");
    let credentials = Credentials::new(access_key_id, secret, None, None, "another account");
    let config = aws_sdk_kms::config::Builder::from(settings).credentials_provider(credentials);
    let other = Client::from_conf(config.build());
    let error = refusal(other.describe_key().key_id(key_arn).send().await)?.into_service_error();
    // The API's model lists this one for no operation, so the SDK has no type for it.
    assert_eq!(error.code(), Some("AccessDeniedException"), "{error:?}");
    println!("other account   {}", said(&error));
    Ok(())
}

/// From the moment its deletion is scheduled a key cannot be used; its alias can still be removed.
async fn delete(kms: &Client, key_id: &str, alias: &str) -> Result<(), Surprise> {
    let request = kms.schedule_key_deletion().key_id(key_id).pending_window_in_days(7);
    let scheduled = request.send().await?;
    assert_eq!(scheduled.key_state(), Some(&KeyState::PendingDeletion));
    println!("deletion        at {}", scheduled.deletion_date().ok_or("no deletion date")?);

    let use_it = kms.generate_data_key().key_id(alias).key_spec(DataKeySpec::Aes256);
    let error = refusal(use_it.send().await)?.into_service_error();
    assert!(error.is_kms_invalid_state_exception(), "{error:?}");
    println!("use             {}", said(&error));

    kms.delete_alias().alias_name(alias).send().await?;
    let error = refusal(kms.describe_key().key_id(alias).send().await)?.into_service_error();
    assert!(error.is_not_found_exception(), "{error:?}");
    println!("alias           {}", said(&error));
    Ok(())
}

/// Takes a data key over from the SDK, which does not wipe what it hands out (nor the answer's body,
/// which stays its own).
fn wiped(plaintext: Option<Blob>) -> Result<Zeroizing<Vec<u8>>, Surprise> {
    let data_key = Zeroizing::new(plaintext.ok_or("no plaintext")?.into_inner());
    assert_eq!(data_key.len(), AES_256_GCM.key_len());
    Ok(data_key)
}

/// The error of a call that has to fail.
fn refusal<T, E>(result: Result<T, E>) -> Result<E, Surprise> {
    result.err().ok_or_else(|| "a call was allowed that should have been refused".into())
}

fn said(error: &impl ProvideErrorMetadata) -> String {
    format!("{}: {}", error.code().unwrap_or("?"), error.message().unwrap_or("no message"))
}

#[expect(clippy::disallowed_methods, reason = "strongroom's rule; an example has no config.rs")]
fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
