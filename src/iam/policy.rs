//! A policy: its statements, and what they say to a call.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;

use super::pattern::Pattern;
use super::principal::Naming;
use super::{Conditions, Context, Principal};

/// A policy that was read.
#[derive(Debug, Clone)]
pub struct Policy {
    name: String,
    statements: Vec<Statement>,
    by_action: ByAction,
}

/// Which statements speak of an action, by their places: found once, as one policy is asked about few actions
/// and often. Nothing of an answer depends on it.
#[derive(Debug, Default)]
struct ByAction(RwLock<Vec<(String, Arc<[usize]>)>>);

/// One statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) name: String,
    pub(super) effect: Effect,
    /// Whom it is about; in identity policies, the holder.
    pub(super) principals: Option<Listed<String>>,
    pub(super) actions: Actions,
    /// What it is about; in trust policies, the role.
    pub(super) resources: Option<Listed<Pattern>>,
    pub(super) conditions: Conditions,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It forbids, whatever else allows.
    Deny,
}

/// `Action` or `NotAction`. Names are compared whatever their case.
#[derive(Debug, Clone)]
pub(super) struct Actions(pub(super) Listed<Pattern>);

/// An element or its opposite.
#[derive(Debug, Clone)]
pub(super) enum Listed<T> {
    These(Vec<T>),
    AllBut(Vec<T>),
}

/// A call, as policies look at it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `kms:Decrypt` and the like.
    pub action: &'a str,
    /// The ARN of what it is done to; `*` where there is nothing that has one.
    pub resource: &'a str,
    /// What conditions look at, made when one first does.
    pub context: &'a dyn Deref<Target = Context>,
}

/// The statements of one policy that speak to a call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verdict<'a> {
    /// The first that forbids it.
    pub denied: Option<&'a Statement>,
    /// That which allows it in the strongest way, and how it means the caller.
    pub allowed: Option<(&'a Statement, Naming)>,
}

impl Effect {
    /// As documents say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

impl Policy {
    pub(super) const fn new(name: String, statements: Vec<Statement>) -> Self {
        Self { name, statements, by_action: ByAction(RwLock::new(Vec::new())) }
    }

    /// A policy that says nothing.
    #[must_use]
    pub fn empty(name: &str) -> Self {
        Self::new(name.to_owned(), Vec::new())
    }

    /// A policy that allows everything.
    #[must_use]
    pub fn everything(name: &str) -> Self {
        let anything = || Listed::AllBut(Vec::new());
        let statement = Statement {
            name: "everything".to_owned(),
            effect: Effect::Allow,
            principals: None,
            actions: Actions(anything()),
            resources: None,
            conditions: Conditions::default(),
        };
        Self::new(name.to_owned(), vec![statement])
    }

    /// What a record calls it: `key policy` and the like.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its statements, in their order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// How a record names a statement of it.
    #[must_use]
    pub fn cite(&self, statement: &Statement) -> String {
        format!("{}: {}", self.name, statement.name)
    }

    /// What the policy says.
    #[must_use]
    pub fn evaluate(&self, question: &Question<'_>) -> Verdict<'_> {
        let mut verdict = Verdict::default();
        let about = self.by_action.find(question.action, &self.statements);
        for statement in about.iter().filter_map(|place| self.statements.get(*place)) {
            // An allowance that adds nothing need not be looked at.
            let known = verdict.allowed.map(|(_, naming)| naming);
            let naming = statement.naming(question.principal);
            let useful = match statement.effect {
                Effect::Allow => naming > known,
                Effect::Deny => naming.is_some(),
            };
            let Some(naming) = naming.filter(|_| useful) else { continue };
            let conditions = &statement.conditions;
            let holds = || conditions.is_empty() || conditions.hold(question.context);
            if !statement.has_resource(question) || !holds() {
                continue;
            }
            match statement.effect {
                Effect::Deny => {
                    verdict.denied = Some(statement);
                    return verdict;
                }
                Effect::Allow => verdict.allowed = Some((statement, naming)),
            }
        }
        verdict
    }
}

impl ByAction {
    fn find(&self, action: &str, statements: &[Statement]) -> Arc<[usize]> {
        let known = |found: &[(String, Arc<[usize]>)]| {
            found.iter().find(|(known, _)| known == action).map(|(_, places)| Arc::clone(places))
        };
        if let Some(places) = known(&self.0.read()) {
            return places;
        }
        let places = statements.iter().enumerate();
        let places = places.filter(|(_, statement)| statement.has_action(action));
        let places: Arc<[usize]> = places.map(|(place, _)| place).collect();
        let mut found = self.0.write();
        if found.len() < ACTIONS && known(&found).is_none() {
            found.push((action.to_owned(), Arc::clone(&places)));
        }
        places
    }
}

impl Clone for ByAction {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Actions that are kept in mind of one policy.
const ACTIONS: usize = 64;

/// What texts without variables are held against.
static NOTHING: LazyLock<Context> = LazyLock::new(Context::default);

impl Statement {
    /// Its `Sid`, or its place.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// What has to hold for it to apply.
    #[must_use]
    pub const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// How it means a caller, if it does.
    pub(super) fn naming(&self, principal: &Principal) -> Option<Naming> {
        let Some(principals) = &self.principals else { return Some(Naming::Itself) };
        match principals {
            Listed::These(names) => names.iter().filter_map(|name| principal.named_by(name)).max(),
            Listed::AllBut(names) => {
                let naming = names.iter().filter_map(|name| principal.named_by(name)).max();
                // A denial excepts neither the others of an account that it excepts nor anybody who has a
                // boundary (IAM User Guide, "NotPrincipal").
                let excepted = match self.effect {
                    Effect::Allow => naming.is_some(),
                    Effect::Deny if principal.is_root() => naming.is_some(),
                    Effect::Deny => {
                        naming > Some(Naming::Account) && principal.standing.boundary.is_none()
                    }
                };
                (!excepted).then_some(Naming::Everyone)
            }
        }
    }

    pub(super) fn has_action(&self, action: &str) -> bool {
        self.actions.0.include(|pattern| pattern.matches_ignoring_case(action, &NOTHING))
    }

    pub(super) fn has_resource(&self, question: &Question<'_>) -> bool {
        let matches = |pattern: &Pattern| match pattern.has_variables() {
            true => pattern.matches(question.resource, question.context),
            false => pattern.matches(question.resource, &NOTHING),
        };
        self.resources.as_ref().is_none_or(|resources| resources.include(matches))
    }
}

impl<T> Listed<T> {
    pub(super) fn names(&self) -> &[T] {
        match self {
            Self::These(names) | Self::AllBut(names) => names,
        }
    }

    pub(super) fn include(&self, matches: impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::These(names) => names.iter().any(matches),
            Self::AllBut(names) => !names.iter().any(matches),
        }
    }

    pub(super) fn map<U, E>(self, read: impl FnMut(&T) -> Result<U, E>) -> Result<Listed<U>, E> {
        Ok(match self {
            Self::These(names) => Listed::These(names.iter().map(read).collect::<Result<_, _>>()?),
            Self::AllBut(names) => {
                Listed::AllBut(names.iter().map(read).collect::<Result<_, _>>()?)
            }
        })
    }
}
