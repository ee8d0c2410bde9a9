-- Several machines over one database: which machine a host belongs to, and the logs of engines that still run.

-- Where only the workers of one machine reach a host (that machine itself, its containers), the machine's id; null where
-- every worker does.
alter table host add column machine text;
create unique index host_machine_key on host (machine) where kind = 'local' and deleted_at is null;

-- Head and tail of a running engine's log, a piece a second at most; gone once the log is an artifact.
create table live_log (
    launch_id    uuid not null references launch on delete cascade,
    -- Bytes from the start of the log.
    start_offset bigint not null,
    length       integer not null,
    text         text not null,
    constraint live_log_key primary key (launch_id, start_offset)
);
