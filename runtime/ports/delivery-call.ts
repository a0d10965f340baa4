/** Of a record that somebody waits for, at one destination. */
export interface DeliveryCall {
  /** Nothing of it may be written any more. */
  readonly withdrawn: boolean;
  /** It may be withdrawn: it is not put off beyond this write. */
  readonly perishable: boolean;
  /** A write of it begins. */
  begin(): void;
}
