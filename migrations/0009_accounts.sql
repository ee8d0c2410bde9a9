-- Accounts: passwords, invitations, sessions, tokens for programs. Secrets are stored as their SHA-256 (they are random,
-- so that no salt is needed), passwords as argon2 hashes.

alter table person
    -- Null: nobody can sign in as this person yet.
    add column password_hash text,
    add column disabled_at timestamptz,
    -- The one-time secret with which the person chooses a password.
    add column invitation_sha256 bytea constraint person_invitation_key unique
               constraint person_invitation_check check (octet_length(invitation_sha256) = 32),
    add column invitation_until timestamptz,
    add constraint person_invitation_until_check check ((invitation_sha256 is null) = (invitation_until is null));
create unique index person_name_key on person (lower(name));

create table session (
    secret_sha256 bytea primary key constraint session_secret_check check (octet_length(secret_sha256) = 32),
    person_id     uuid not null references person on delete cascade,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null
);
create index session_person on session (person_id);

create table api_token (
    id            uuid primary key,
    person_id     uuid not null references person on delete cascade,
    name          text not null,
    -- What a program may do with it at most; the person's own role is the other limit.
    role          text not null constraint api_token_role_check check (role in ('viewer', 'runner', 'admin')),
    secret_sha256 bytea not null constraint api_token_secret_key unique
                  constraint api_token_secret_check check (octet_length(secret_sha256) = 32),
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
create index api_token_person on api_token (person_id, created_at desc);
