-- Podium's tables. Words (statuses, modes, kinds) are those of podium-domain; ids are UUIDs, version 7 where order helps.
-- Where the order of an object's keys has a meaning (flags, searched values, tables) the column is `json`, which keeps
-- it; `jsonb` does not.
-- Constraint names are part of the store's interface: it turns them into errors that say what is wrong.

create table person (
    id         uuid primary key,
    name       text not null,
    role       text not null constraint person_role_check check (role in ('viewer', 'runner', 'admin')),
    created_at timestamptz not null default now()
);

-- Whoever reaches Podium on the loopback address, until accounts exist.
insert into person (id, name, role) values ('00000000-0000-0000-0000-000000000001', 'owner', 'admin');

create table host (
    id         uuid primary key,
    name       text not null,
    kind       text not null constraint host_kind_check check (kind in ('local', 'ssh', 'container', 'slurm')),
    config     jsonb not null default '{}',
    facts      jsonb,
    checked_at timestamptz,
    created_by uuid not null references person,
    created_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index host_name_key on host (name) where deleted_at is null;

create table plan (
    id         uuid primary key,
    name       text not null,
    created_by uuid not null references person,
    created_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index plan_list on plan (created_at desc) where deleted_at is null;

create table plan_version (
    plan_id    uuid not null references plan,
    version    integer not null constraint plan_version_check check (version > 0),
    yaml       text not null,
    created_by uuid not null references person,
    created_at timestamptz not null default now(),
    constraint plan_version_key primary key (plan_id, version)
);

create table run (
    id             uuid primary key,
    plan_id        uuid references plan,
    plan_version   integer,
    -- Frozen: what was started stays what it was, whatever becomes of the plan.
    plan_yaml      text not null,
    plan           json not null,
    options        jsonb not null default '{}',
    title          text not null,
    model          text not null,
    frameworks     text[] not null,
    flow_check     boolean not null,
    simulated      boolean not null,
    host_id        uuid not null references host,
    status         text not null default 'queued' constraint run_status_check
                   check (status in ('queued', 'running', 'cancelling', 'cancelled', 'completed', 'failed')),
    failure        text,
    summary        jsonb,
    created_by     uuid not null references person,
    created_at     timestamptz not null default now(),
    started_at     timestamptz,
    finished_at    timestamptz,
    deleted_at     timestamptz,
    -- A write of the worker counts only while its epoch is the newest.
    lease_owner    text,
    lease_epoch    bigint not null default 0,
    lease_until    timestamptz,
    next_event_seq bigint not null default 1,
    constraint run_plan_version_fkey foreign key (plan_id, plan_version) references plan_version (plan_id, version)
);
create index run_list on run (created_at desc, id desc) where deleted_at is null;
create index run_claim on run (created_at) where status in ('queued', 'running', 'cancelling') and deleted_at is null;

create table run_event (
    run_id uuid not null references run on delete cascade,
    seq    bigint not null constraint run_event_seq_check check (seq > 0),
    at     timestamptz not null default now(),
    kind   text not null,
    body   jsonb not null,
    primary key (run_id, seq)
);

create table candidate (
    id             uuid primary key,
    run_id         uuid not null references run on delete cascade,
    ordinal        integer not null,
    framework      text not null,
    candidate_id   text not null,
    baseline       boolean not null,
    flags          json not null,
    argv           jsonb not null,
    command        text not null,
    status         text not null default 'pending' constraint candidate_status_check
                   check (status in ('pending', 'running', 'ok', 'failed', 'oom', 'timeout', 'skipped')),
    failure_reason text,
    failure        jsonb,
    constraint candidate_id_key unique (run_id, candidate_id),
    constraint candidate_ordinal_key unique (run_id, ordinal)
);

-- Contents, each stored once. Names belong to the link, since equal contents may have several.
create table artifact (
    id           uuid primary key,
    sha256       bytea not null constraint artifact_sha256_key unique
                 constraint artifact_sha256_check check (octet_length(sha256) = 32),
    media_type   text not null,
    -- Of the whole content; the middle of a large one is not stored.
    size_bytes   bigint not null,
    stored_bytes bigint not null,
    truncated    boolean not null,
    created_at   timestamptz not null default now()
);

create table artifact_chunk (
    artifact_id  uuid not null references artifact on delete cascade,
    -- Bytes from the start of the whole content.
    start_offset bigint not null,
    length       integer not null,
    zstd         bytea not null,
    primary key (artifact_id, start_offset)
);
-- Compressed already.
alter table artifact_chunk alter column zstd set storage external;

create table launch (
    id                 uuid primary key,
    candidate_id       uuid not null references candidate on delete cascade,
    attempt            integer not null constraint launch_attempt_check check (attempt > 0),
    host_id            uuid not null references host,
    argv               jsonb not null,
    command            text not null,
    deploy_command     text not null,
    state              text not null default 'starting' constraint launch_state_check
                       check (state in ('starting', 'loading', 'ready', 'warm', 'measuring', 'draining', 'stopped', 'failed')),
    pid                integer,
    process_started_at timestamptz,
    port               integer constraint launch_port_check check (port between 1 and 65535),
    version            text,
    facts              jsonb,
    failure            jsonb,
    started_at         timestamptz not null default now(),
    ready_at           timestamptz,
    ended_at           timestamptz,
    log_artifact_id    uuid references artifact,
    constraint launch_attempt_key unique (candidate_id, attempt)
);

create table run_artifact (
    run_id      uuid not null references run on delete cascade,
    launch_id   uuid references launch on delete cascade,
    artifact_id uuid not null references artifact,
    kind        text not null,
    name        text not null,
    created_at  timestamptz not null default now(),
    constraint run_artifact_key primary key (run_id, kind, name)
);
create index run_artifact_launch on run_artifact (launch_id);

create table measurement (
    id                      uuid primary key,
    candidate_id            uuid not null references candidate on delete cascade,
    launch_id               uuid references launch,
    scenario                text not null,
    load_mode               text not null constraint measurement_load_mode_check
                            check (load_mode in ('rate_search', 'rate', 'concurrency', 'burst')),
    load_point              jsonb not null,
    load_key                text not null,
    repeat                  integer not null,
    attempt                 integer not null,
    status                  text not null default 'pending' constraint measurement_status_check
                            check (status in ('pending', 'measuring', 'done', 'failed', 'skipped')),
    failure_reason          text,
    simulated               boolean not null,
    started_at              timestamptz,
    ended_at                timestamptz,
    -- What ranking reads; everything else is in the summary. Per second, ms, shares in [0, 1]; null is "not measured".
    request_throughput      double precision,
    output_token_throughput double precision,
    total_token_throughput  double precision,
    p50_ttft_ms             double precision,
    p50_user_ttft_ms        double precision,
    p50_tpot_ms             double precision,
    p50_e2e_ms              double precision,
    success_rate            double precision,
    sla_passed              boolean,
    validity                text constraint measurement_validity_check check (validity in ('valid', 'doubtful', 'invalid')),
    summary                 jsonb,
    series                  jsonb,
    telemetry               jsonb,
    constraint measurement_done_check check (status <> 'done' or (summary is not null and validity is not null)),
    constraint measurement_tuple_key unique (candidate_id, scenario, load_key, repeat, attempt)
);
create index measurement_launch on measurement (launch_id);

-- All requests of one measurement in one compressed columnar blob.
create table measurement_samples (
    measurement_id uuid primary key references measurement on delete cascade,
    codec          text not null,
    bytes          bytea not null
);
alter table measurement_samples alter column bytes set storage external;

-- One row per candidate and scenario, as exported. `original` is a foreign row's own text.
create table result_row (
    id                      uuid primary key,
    run_id                  uuid references run on delete cascade,
    candidate_id            uuid references candidate on delete cascade,
    ordinal                 integer not null,
    framework               text not null,
    scenario                text not null,
    status                  text not null constraint result_row_status_check
                            check (status in ('ok', 'failed', 'oom', 'timeout', 'skipped')),
    sla_passed              boolean,
    request_throughput      double precision,
    output_token_throughput double precision,
    p50_ttft_ms             double precision,
    p50_tpot_ms             double precision,
    simulated               boolean not null,
    "row"                   json not null,
    original                text,
    constraint result_row_ordinal_key unique (run_id, ordinal)
);

create table report (
    id             uuid primary key,
    run_id         uuid not null references run on delete cascade,
    schema_version integer not null,
    title          text not null,
    model          json not null,
    simulated      boolean not null,
    created_by     uuid not null references person,
    created_at     timestamptz not null default now()
);
create index report_run on report (run_id, created_at desc);

create table share (
    id              uuid primary key,
    report_id       uuid not null references report on delete cascade,
    -- The token itself is never stored.
    token_sha256    bytea not null constraint share_token_key unique
                    constraint share_token_check check (octet_length(token_sha256) = 32),
    include_private boolean not null,
    password_hash   text,
    created_by      uuid not null references person,
    created_at      timestamptz not null default now(),
    expires_at      timestamptz,
    revoked_at      timestamptz
);
create index share_report on share (report_id, created_at desc);

create table audit (
    id      uuid primary key,
    at      timestamptz not null default now(),
    person  uuid not null references person,
    action  text not null,
    subject text not null,
    detail  jsonb not null default '{}'
);
create index audit_list on audit (at desc);
