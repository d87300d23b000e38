"""Who may serve what and where to: regions, rates, rules, and decisions with their reasons."""

from typing import Any

from alembic import op

from core.migrations.walls import walled

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE item ADD weight_g integer CHECK (weight_g > 0);
COMMENT ON COLUMN item.weight_g IS 'of one sale unit, packed; NULL: nobody said';
CREATE TABLE region (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL,
    name text NOT NULL CHECK (name <> '' AND name = lower(name)),
    parts text[] NOT NULL CHECK (cardinality(parts) > 0),
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    CHECK ((latitude IS NULL) = (longitude IS NULL)),
    PRIMARY KEY (merchant_id, id), UNIQUE (merchant_id, name)
);
COMMENT ON COLUMN region.parts IS 'COUNTRY, COUNTRY-SUBDIVISION, or either with the first postal characters: DE-BY-80, DE--80';
COMMENT ON COLUMN region.latitude IS 'with longitude: its middle, from where distances are taken';
CREATE TABLE carrier_rate (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, carrier text NOT NULL CHECK (carrier <> ''),
    region_id bigint, warehouse_id bigint, up_to_g integer NOT NULL CHECK (up_to_g > 0),
    cost bigint NOT NULL CHECK (cost >= 0), currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (merchant_id, id),
    UNIQUE NULLS NOT DISTINCT (merchant_id, carrier, region_id, warehouse_id, up_to_g)
);
COMMENT ON TABLE carrier_rate IS 'of one parcel; region_id NULL: to everywhere, warehouse_id NULL: from everywhere';
COMMENT ON COLUMN carrier_rate.cost IS 'in the smallest unit of its currency';
CREATE TABLE transit_time (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, region_id bigint, warehouse_id bigint,
    least_days integer NOT NULL CHECK (least_days BETWEEN 0 AND 365),
    most_days integer NOT NULL CHECK (most_days BETWEEN least_days AND 365),
    PRIMARY KEY (merchant_id, id), UNIQUE NULLS NOT DISTINCT (merchant_id, region_id, warehouse_id)
);
COMMENT ON TABLE transit_time IS 'working days of the general week; NULL as in carrier_rate';
CREATE TABLE serving_rule (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL,
    effect text NOT NULL CHECK (effect IN ('allow', 'deny', 'only')), warehouse_id bigint NOT NULL, item_id bigint,
    region_id bigint, starts_at timestamptz, ends_at timestamptz, made_at timestamptz NOT NULL, made_by text NOT NULL,
    CHECK (ends_at > starts_at), CHECK (effect <> 'only' OR region_id IS NOT NULL),
    PRIMARY KEY (merchant_id, id)
);
COMMENT ON COLUMN serving_rule.effect IS 'allow: what it names goes only from warehouses that are allowed; deny: never '
    'from this one; only: this warehouse sends to these regions and to no others';
CREATE TABLE working_week (
    merchant_id bigint NOT NULL REFERENCES merchant, warehouse_id bigint, weekdays smallint[] NOT NULL
        CHECK (cardinality(weekdays) > 0 AND weekdays <@ '{1,2,3,4,5,6,7}'), closed_on date[] NOT NULL,
    UNIQUE NULLS NOT DISTINCT (merchant_id, warehouse_id)
);
COMMENT ON TABLE working_week IS 'warehouse_id NULL: the general week, which is the carriers'' too; weekdays by ISO 8601';
CREATE TABLE routing_setting (
    merchant_id bigint NOT NULL REFERENCES merchant, store_id bigint, strategy text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (merchant_id, store_id)
);
COMMENT ON COLUMN routing_setting.store_id IS 'NULL: the merchant''s own, for stores without one';
CREATE TABLE route_decision (
    merchant_id bigint NOT NULL REFERENCES merchant, id bigint NOT NULL, order_id bigint NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0), strategy text NOT NULL, decided_at timestamptz NOT NULL,
    country text NOT NULL, subdivision text NOT NULL, postal text NOT NULL CHECK (length(postal) <= 3),
    lines jsonb NOT NULL, legs jsonb NOT NULL, waits jsonb NOT NULL, reasons jsonb NOT NULL, excluded jsonb NOT NULL,
    superseded_by bigint, PRIMARY KEY (merchant_id, id)
);
COMMENT ON COLUMN route_decision.lines IS 'what was to be routed, so that another strategy can be tried on it';
CREATE UNIQUE INDEX route_decision_in_force ON route_decision (merchant_id, order_id) WHERE superseded_by IS NULL;
CREATE INDEX route_decision_of_order ON route_decision (merchant_id, order_id, attempt);
CREATE INDEX route_decision_by_time ON route_decision (merchant_id, decided_at, id);
CREATE TABLE route_parcel (
    merchant_id bigint NOT NULL REFERENCES merchant, warehouse_id bigint NOT NULL, leaves_on date NOT NULL,
    decision_id bigint NOT NULL, PRIMARY KEY (merchant_id, warehouse_id, leaves_on, decision_id)
);
COMMENT ON TABLE route_parcel IS 'a parcel of a decision in force, and the day on which its warehouse is to send it';
CREATE INDEX route_parcel_of_decision ON route_parcel (merchant_id, decision_id);
"""
TABLES = (
    "region", "carrier_rate", "transit_time", "serving_rule", "working_week", "routing_setting", "route_parcel",
)  # fmt: skip


def upgrade() -> None:
    # Straight to the driver: several statements at once, and no reading of % as a placeholder.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(CHANGES)
    for table in TABLES:
        driver.execute(walled(table, "SELECT, INSERT, UPDATE, DELETE"))
    driver.execute(walled("route_decision"))
