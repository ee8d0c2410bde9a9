-- What preflight found: for each run, and what is not asked again of a host.

-- The checks, and the plan's frameworks as they fit the host; null until the run has begun.
alter table run add column preflight jsonb;

-- Help texts of what is installed on a host, and the smoke tests that it passed.
create table host_knowledge (
    host_id  uuid not null references host on delete cascade,
    kind     text not null constraint host_knowledge_kind_check check (kind in ('help', 'smoke')),
    -- Program, version and command: another one is asked again.
    key      text not null,
    value    jsonb not null,
    found_at timestamptz not null default now(),
    constraint host_knowledge_key primary key (host_id, kind, key)
);
