//! The module as a whole.

mod golden;

use std::collections::BTreeMap;
use std::future::Future;

use proptest::prelude::*;

use self::golden::{AnyKeyring, golden, kms};
use super::*;
use crate::crypto::SecretKey;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn data_key() -> SecretKey {
    SecretKey::from_bytes([7; 32])
}

fn description(pairs: &[(&str, &str)]) -> Description {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn reading(policy: CommitmentPolicy, legacy: Legacy) -> Reading {
    Reading { policy, legacy }
}

fn everything() -> Reading {
    reading(CommitmentPolicy::RequireEncryptAllowDecrypt, Legacy::Read)
}

/// Opens an object both ways; they have to agree.
fn open(
    keyring: &mut impl Keyring,
    metadata: &UserMetadata,
    instruction: Option<&str>,
    body: &[u8],
    reading: Reading,
    said: &Description,
) -> Result<Vec<u8>, Error> {
    let metadata = Metadata::parse(metadata, instruction.map(str::as_bytes))?;
    let key = run(OpeningKey::unwrap(keyring, &metadata, reading, said))?;
    let buffered = run(open_buffered(body, &key, 1 << 20));
    let mut delayed = Vec::new();
    let length = run(open_delayed(body, &mut delayed, &key, |_| ()));
    assert_eq!(buffered.is_ok(), length.is_ok());
    let opened = buffered?;
    assert_eq!(opened, delayed);
    assert_eq!(length.unwrap(), u64::try_from(opened.len()).unwrap());
    Ok(opened)
}

fn seal(
    keyring: &mut impl Keyring,
    policy: CommitmentPolicy,
    said: &Description,
    plaintext: &[u8],
) -> (Metadata, Vec<u8>) {
    let (metadata, key) = run(SealingKey::generate(keyring, policy, said)).unwrap();
    let mut body = Vec::new();
    let length = run(seal_body(plaintext, &mut body, key, |_| ())).unwrap();
    assert_eq!(length, u64::try_from(plaintext.len()).unwrap());
    (metadata, body)
}

#[test]
fn objects_of_other_programs_are_opened() {
    let objects = golden();
    assert_eq!(objects.len(), 18);
    for mut object in objects {
        let opened = open(
            &mut object.keyring,
            &object.metadata,
            object.instruction.as_deref(),
            &object.body,
            everything(),
            &object.context,
        );
        assert_eq!(opened.expect(&object.title), object.plaintext, "{}", object.title);
    }
}

#[test]
fn policies_say_what_is_read() {
    use CommitmentPolicy::{
        ForbidEncryptAllowDecrypt, RequireEncryptAllowDecrypt, RequireEncryptRequireDecrypt,
    };
    for mut object in golden() {
        let mut under = |policy, legacy| {
            open(
                &mut object.keyring,
                &object.metadata,
                object.instruction.as_deref(),
                &object.body,
                reading(policy, legacy),
                &object.context,
            )
        };
        for legacy in [Legacy::Refuse, Legacy::Read] {
            let strict = under(RequireEncryptRequireDecrypt, legacy);
            if object.suite == "115" {
                assert!(strict.is_ok(), "{}", object.title);
            } else {
                assert!(matches!(strict, Err(Error::Policy)), "{}", object.title);
            }
            for policy in [ForbidEncryptAllowDecrypt, RequireEncryptAllowDecrypt] {
                let allowed = under(policy, legacy);
                if object.legacy && legacy == Legacy::Refuse {
                    assert!(matches!(allowed, Err(Error::Legacy)), "{}", object.title);
                } else {
                    assert!(allowed.is_ok(), "{}", object.title);
                }
            }
        }
    }
    assert_eq!(ForbidEncryptAllowDecrypt.sealing_suite(), Suite::Gcm);
    assert_eq!(RequireEncryptAllowDecrypt.sealing_suite(), Suite::CommittingGcm);
    assert_eq!(CommitmentPolicy::default(), RequireEncryptRequireDecrypt);
}

/// Whatever bit is flipped, in whatever place, nothing opens; but what a raw keyring's user says of
/// the wrapping key, which the format does not authenticate.
#[test]
fn any_flipped_bit_is_refused() {
    let authentic = |title: &str| !title.contains("CBC");
    for mut object in golden().into_iter().filter(|object| authentic(&object.title)) {
        let (title, said) = (object.title.clone(), object.context.clone());
        let raw = !matches!(object.keyring, AnyKeyring::Kms(_));
        let mut refused = |metadata: &UserMetadata, instruction: Option<&str>, body: &[u8]| {
            let opened =
                open(&mut object.keyring, metadata, instruction, body, everything(), &said);
            match opened {
                Ok(_) => panic!("{title} opens: {metadata:?} {instruction:?}"),
                Err(error) => assert!(
                    matches!(
                        error,
                        Error::Open | Error::Metadata(_) | Error::Unsupported(_) | Error::Context
                    ),
                    "{title}: {error:?}"
                ),
            }
        };
        let bits = 0..object.body.len().min(40) * 8;
        for bit in bits.chain(object.body.len() * 8 - 128..object.body.len() * 8) {
            let mut body = object.body.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            refused(&object.metadata, object.instruction.as_deref(), &body);
        }
        for length in [0, 1, 15, object.body.len() - 1] {
            let body = &object.body[..length];
            refused(&object.metadata, object.instruction.as_deref(), body);
        }
        for (name, value) in &object.metadata {
            if raw && matches!(name.as_str(), "x-amz-m" | "x-amz-matdesc") {
                continue;
            }
            // RSA takes its time, so every bit of the first letters alone.
            let letters = if value.len() > 200 { 3 } else { value.len() };
            for (index, bit) in (0..letters).flat_map(|index| (0..7).map(move |bit| (index, bit))) {
                let mut altered = value.clone().into_bytes();
                altered[index] ^= 1 << bit;
                let mut metadata = object.metadata.clone();
                metadata.insert(name.clone(), String::from_utf8(altered).unwrap());
                refused(&metadata, object.instruction.as_deref(), &object.body);
            }
            let mut metadata = object.metadata.clone();
            metadata.remove(name);
            refused(&metadata, object.instruction.as_deref(), &object.body);
        }
        if object.instruction.is_some() {
            refused(&object.metadata, None, &object.body);
            refused(&object.metadata, Some("{}"), &object.body);
        } else {
            refused(&object.metadata, Some("{}"), &object.body);
        }
    }
}

fn keyrings() -> Vec<AnyKeyring> {
    let rsa = golden().into_iter().find_map(|object| match object.keyring {
        AnyKeyring::Rsa(keyring) => Some(keyring),
        _ => None,
    });
    vec![
        AnyKeyring::Aes(AesKeyring::new(SecretKey::from_bytes([1; 32]))),
        AnyKeyring::Rsa(rsa.unwrap()),
        AnyKeyring::Kms(kms(Description::new())),
    ]
}

#[test]
fn what_is_sealed_opens_from_either_place() {
    let said = description(&[("name", "bücket/\u{1f511}")]);
    for mut keyring in keyrings() {
        for policy in [CommitmentPolicy::default(), CommitmentPolicy::ForbidEncryptAllowDecrypt] {
            let (metadata, body) = seal(&mut keyring, policy, &said, b"plaintext");
            assert_eq!(metadata.suite(), policy.sealing_suite());
            assert_eq!(body.len(), 9 + 16);
            let mut on_object = metadata.to_object().unwrap();
            on_object.insert("another".to_owned(), "one".to_owned());
            assert!(on_object.values().all(|value| value.is_ascii()));
            let (beside, instruction) = metadata.to_instruction().unwrap();
            assert!(on_object.len() > beside.len());
            for (user_metadata, instruction) in
                [(&on_object, None), (&beside, Some(instruction.as_str()))]
            {
                let parsed =
                    Metadata::parse(user_metadata, instruction.map(str::as_bytes)).unwrap();
                assert_eq!(parsed, metadata);
                let reading = reading(policy, Legacy::Refuse);
                let opened = open(&mut keyring, user_metadata, instruction, &body, reading, &said);
                assert_eq!(opened.unwrap(), b"plaintext");
                let other = description(&[("name", "another")]);
                let refused =
                    open(&mut keyring, user_metadata, instruction, &body, reading, &other);
                assert!(matches!(refused, Err(Error::Context)));
                let nothing = Description::new();
                let silent =
                    open(&mut keyring, user_metadata, instruction, &body, reading, &nothing);
                match keyring {
                    AnyKeyring::Kms(_) => assert!(matches!(silent, Err(Error::Context))),
                    _ => assert_eq!(silent.unwrap(), b"plaintext"),
                }
            }
        }
    }
}

#[test]
fn a_keyring_opens_what_it_wraps_alone() {
    let said = Description::new();
    let policy = CommitmentPolicy::default();
    for (index, mut sealing) in keyrings().into_iter().enumerate() {
        let (metadata, _) = seal(&mut sealing, policy, &said, b"x");
        for (other, mut opening) in keyrings().into_iter().enumerate() {
            let opened =
                run(OpeningKey::unwrap(&mut opening, &metadata, Reading::default(), &said));
            match opened {
                Ok(_) => assert_eq!(index, other),
                // The KMS of another test is asked for another context.
                Err(Error::Open) => assert_eq!((index, other), (2, 2)),
                Err(error) => {
                    assert_ne!(index, other);
                    assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
                }
            }
        }
        let mut another = AesKeyring::new(SecretKey::from_bytes([2; 32]));
        let opened = run(OpeningKey::unwrap(&mut another, &metadata, Reading::default(), &said));
        if index == 0 {
            assert!(matches!(opened, Err(Error::Open)));
        }
    }
}

#[test]
fn a_public_key_seals_alone() {
    let pair = golden().into_iter().find(|object| object.title == "RSA-OAEP-SHA1 V3").unwrap();
    let AnyKeyring::Rsa(private) = pair.keyring else { panic!("not RSA") };
    let mut private = *private;
    let mut public = RsaKeyring::from_public_der(private.public_der()).unwrap();
    let said = Description::new();
    let (metadata, body) = seal(&mut public, CommitmentPolicy::default(), &said, b"to you");
    let metadata = metadata.to_object().unwrap();
    let opened =
        |keyring: &mut RsaKeyring| open(keyring, &metadata, None, &body, Reading::default(), &said);
    assert!(matches!(opened(&mut public), Err(Error::Unsupported(_))));
    assert_eq!(opened(&mut private).unwrap(), b"to you");
    assert!(matches!(RsaKeyring::from_public_der(b"none"), Err(Error::Key)));
    assert!(matches!(RsaKeyring::from_pkcs8_der(b"none"), Err(Error::Key)));
}

#[test]
fn reserved_pairs_are_not_the_callers() {
    let mut keyring = kms(Description::new());
    for name in ["aws:x-amz-cek-alg", "kms_cmk_id"] {
        let said = description(&[(name, "115")]);
        let made = run(SealingKey::generate(&mut keyring, CommitmentPolicy::default(), &said));
        assert!(matches!(made, Err(Error::Reserved)));
    }
}

/// Somebody who can write to the bucket relabels a V3 object as V2, with the wrapped key and the
/// context that belong to it.
#[test]
fn a_data_key_of_one_suite_is_not_taken_for_anothers() {
    let v3 = golden().into_iter().find(|object| object.title.starts_with("client V3")).unwrap();
    let mut keyring = v3.keyring;
    let relabelled = BTreeMap::from(
        [
            ("x-amz-key-v2", v3.metadata["x-amz-3"].as_str()),
            ("x-amz-wrap-alg", "kms+context"),
            ("x-amz-matdesc", &v3.metadata["x-amz-t"]),
            ("x-amz-cek-alg", "AES/GCM/NoPadding"),
            ("x-amz-tag-len", "128"),
            ("x-amz-iv", "AQEBAQEBAQEBAQEB"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let metadata = Metadata::parse(&relabelled, None).unwrap();
    let key = run(OpeningKey::unwrap(&mut keyring, &metadata, everything(), &v3.context));
    assert!(matches!(key, Err(Error::Open)));
}

#[test]
fn metadata_that_does_not_fit_together_is_refused() {
    let of = |title: &str| golden().into_iter().find(|object| object.title == title).unwrap();
    let (v2, v3) = (of("AES/GCM V2").metadata, of("AES/GCM V3").metadata);
    let with = |base: &UserMetadata, name: &str, value: &str| {
        let mut metadata = base.clone();
        metadata.insert(name.to_owned(), value.to_owned());
        Metadata::parse(&metadata, None)
    };
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
    for (base, name, value) in [
        (&v3, "x-amz-i", zeros),
        (&v2, "x-amz-iv", "AAAAAAAAAAAAAAAA"),
        (&v2, "x-amz-iv", "AAAAAAAAAAAAAAAB AA"),
        (&v3, "x-amz-key-v2", "AAAA"),
        (&v3, "x-amz-key", "AAAA"),
        (&v3, "x-amz-iv", "AQEBAQEBAQEBAQEB"),
        (&v2, "x-amz-key", "AAAA"),
        (&v2, "x-amz-3", "AAAA"),
        (&v2, "x-amz-c", "115"),
        (&v3, "x-amz-t", "{}"),
        (&v3, "x-amz-3", ""),
        (&v3, "x-amz-m", "{"),
    ] {
        assert!(matches!(with(base, name, value), Err(Error::Metadata(_))), "{name}: {value}");
    }
    for (base, name, value) in [
        (&v3, "x-amz-c", "114"),
        (&v3, "x-amz-w", "99"),
        (&v3, "x-amz-w", "kms"),
        (&v2, "x-amz-cek-alg", "AES/CTR/NoPadding"),
        (&v2, "x-amz-tag-len", "96"),
        (&v2, "x-amz-wrap-alg", "RSA/ECB/OAEPWithSHA-256AndMGF1Padding"),
    ] {
        assert!(matches!(with(base, name, value), Err(Error::Unsupported(_))), "{name}: {value}");
    }
    let long = "A".repeat(6144 / 3 * 4 + 4);
    assert!(matches!(with(&v3, "x-amz-3", &long), Err(Error::Metadata(_))));
    assert!(matches!(Metadata::parse(&UserMetadata::new(), None), Err(Error::Metadata(_))));
}

#[test]
fn instruction_files_hold_what_belongs_there_alone() {
    let of = |title: &str| golden().into_iter().find(|object| object.title == title).unwrap();
    let v3 = of("AES/GCM V3, instruction file");
    let parse = |metadata: &UserMetadata, instruction: &str| {
        Metadata::parse(metadata, Some(instruction.as_bytes()))
    };
    let instruction = v3.instruction.unwrap();
    assert!(parse(&v3.metadata, &instruction).is_ok());
    let with = |pair: &str| instruction.replacen('{', &format!("{{{pair},"), 1);
    assert!(parse(&v3.metadata, &with(r#""x-amz-crypto-instr-file":"""#)).is_ok());
    for pair in [
        r#""x-amz-c":"115""#,
        r#""x-amz-key-v2":"AAAA""#,
        r#""another":"one""#,
        r#""x-amz-w":"02""#,
        r#""x-amz-t":"{}""#,
    ] {
        assert!(matches!(parse(&v3.metadata, &with(pair)), Err(Error::Metadata(_))), "{pair}");
    }
    let v2 = of("AES/GCM V2, instruction file").instruction.unwrap();
    assert!(parse(&UserMetadata::new(), &v2).is_ok());
    // V2's wrapped key beside V3's content: what commits would be read as what does not.
    assert!(matches!(parse(&v3.metadata, &v2), Err(Error::Metadata(_))));
    let iv = BTreeMap::from([("x-amz-iv".to_owned(), "AQEBAQEBAQEBAQEB".to_owned())]);
    assert!(matches!(parse(&iv, &v2), Err(Error::Metadata(_))));
}

#[test]
fn a_part_is_decrypted_without_the_rest_and_never_the_tag() {
    let plaintext: Vec<u8> = (0..=250).cycle().take(1000).collect();
    for policy in [CommitmentPolicy::default(), CommitmentPolicy::ForbidEncryptAllowDecrypt] {
        let mut keyring = AesKeyring::new(data_key());
        let said = Description::new();
        let (metadata, body) = seal(&mut keyring, policy, &said, &plaintext);
        let reading = reading(policy, Legacy::Refuse);
        let key = run(OpeningKey::unwrap(&mut keyring, &metadata, reading, &said)).unwrap();
        let total = u64::try_from(body.len()).unwrap();
        for (from, to) in [(0, 1), (0, 16), (5, 40), (16, 32), (17, 999), (990, 5000), (0, 1016)] {
            let part = PartialBody::new(total, from..to).unwrap();
            let sealed = part.sealed();
            let [start, end] = [sealed.start, sealed.end].map(|at| usize::try_from(at).unwrap());
            let opened = key.open_unauthenticated_part(&part, &body[start..end]).unwrap();
            let [from, to] = [from, to.min(1000)].map(|at| usize::try_from(at).unwrap());
            assert_eq!(opened, plaintext[from..to]);
            assert!(key.open_unauthenticated_part(&part, &body[start..end - 1]).is_err());
        }
        for (from, to) in [(1000, 1016), (1000, 1001), (5, 5)] {
            assert!(matches!(PartialBody::new(total, from..to), Err(Error::Range)));
        }
        assert!(matches!(PartialBody::new(15, 0..1), Err(Error::Open)));
    }
}

#[test]
fn a_body_longer_than_the_buffer_is_not_opened() {
    let mut keyring = AesKeyring::new(data_key());
    let said = Description::new();
    let (metadata, body) = seal(&mut keyring, CommitmentPolicy::default(), &said, &[1; 100]);
    let key = run(OpeningKey::unwrap(&mut keyring, &metadata, Reading::default(), &said)).unwrap();
    assert!(run(open_buffered(body.as_slice(), &key, 100)).is_ok());
    assert!(matches!(run(open_buffered(body.as_slice(), &key, 99)), Err(Error::Buffer)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pieces_of_any_length_open_to_the_same(
        len in 0_usize..600,
        pieces in prop::collection::vec(0_usize..50, 1..8),
    ) {
        let plaintext: Vec<u8> = (0..=250).cycle().take(len).collect();
        let mut keyring = AesKeyring::new(data_key());
        let said = Description::new();
        let (metadata, body) = seal(&mut keyring, CommitmentPolicy::default(), &said, &plaintext);
        let key = run(OpeningKey::unwrap(&mut keyring, &metadata, Reading::default(), &said));
        let mut opener = UnauthenticatedOpener::new(&key.unwrap()).unwrap();
        let (mut opened, mut rest) = (Vec::new(), body.as_slice());
        for length in pieces {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            opener.update(piece, &mut opened).unwrap();
            rest = after;
            // The tag is never given out, wherever the pieces end.
            prop_assert!(opened.len() <= len);
            prop_assert_eq!(&opened, &plaintext[..opened.len()]);
        }
        opener.update(rest, &mut opened).unwrap();
        opener.finish(&mut opened).unwrap();
        prop_assert_eq!(opened, plaintext);
    }

    #[test]
    fn no_metadata_makes_the_parser_panic(
        pairs in prop::collection::btree_map("x-amz-(key|key-v2|iv|c|3|w|d|i|t|m|matdesc|cek-alg|wrap-alg|tag-len)", "115|12|02|22|[A-Za-z+/=]{0,60}|[{\":,}a]{0,10}|.*", 0..9),
        instruction in prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
    ) {
        let _ = Metadata::parse(&pairs, instruction.as_deref());
    }
}

#[test]
fn debug_output_holds_no_key() {
    let keyring = AesKeyring::new(SecretKey::from_bytes([0xab; 32]));
    assert_eq!(format!("{keyring:?}"), "AesKeyring(SecretKey(redacted))");
    let mut keyring = kms(Description::new());
    let policy = CommitmentPolicy::default();
    let (_, key) = run(SealingKey::generate(&mut keyring, policy, &Description::new())).unwrap();
    assert_eq!(format!("{key:?}"), "SealingKey(redacted)");
}
